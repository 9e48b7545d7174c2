import { expect, test } from "vitest";
import { shortName } from "./names";

test("a GPU is called as people call it", () => {
  expect(shortName("NVIDIA GeForce RTX 4090")).toBe("RTX 4090");
  expect(shortName("NVIDIA RTX A6000")).toBe("RTX A6000");
  expect(shortName("AMD Radeon RX 7900 XTX (RADV NAVI31)")).toBe("RX 7900 XTX");
  expect(shortName("llvmpipe (LLVM 15.0.6, 256 bits)")).toBe("llvmpipe");
  expect(shortName("NVIDIA")).toBe("NVIDIA");
});
