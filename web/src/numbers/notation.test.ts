import { expect, test } from "vitest";
import { count, fixed, percent, probability, significant } from "./notation";

test("numbers are written as the terminal writes them, with a true minus sign", () => {
  expect(fixed(-0.0001)).toBe("0.000");
  expect(fixed(-12.3456)).toBe("−12.346");
  expect(significant(9.996)).toBe("10.0");
  expect(significant(1234.5)).toBe("1,230");
  expect(significant(1.2e-7)).toBe("1.20e−7");
  expect(probability(-1000)).toBe("5.08e−435");
  expect(probability(-Infinity)).toBe("0");
  expect(percent(0.1234)).toBe("12.3 %");
  expect(count(262144)).toBe("262,144");
});
