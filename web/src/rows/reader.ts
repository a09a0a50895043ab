/** What reads the text of a file, part by part. */
export interface Reader {
  more(text: string): void;
  end(): void;
}
