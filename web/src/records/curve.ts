/** The losses of a fit, as src/pofx/report/html/curve_block.py writes them; bits per byte by passes over the documents. */

export interface Curve {
  /** [passes, bits per byte], at most some hundreds of points. */
  training: [number, number][];
  validation: [number, number][];
  seconds: number;
}
