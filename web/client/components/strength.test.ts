import { expect, test } from "vitest"
import { estimate } from "./strength"

test.each(["password", "qwertyuiop", "ada1815", "Summer2026!"])("%s is refused", (passphrase) =>
  expect(estimate(passphrase, ["ada"]).score).toBeLessThan(2),
)

test("five unrelated words are strong", () =>
  expect(estimate("glacier pewter mongoose ladle axiom", []).score).toBe(4))

test("the account's own name is no secret", () =>
  expect(estimate("wintermute-lovelace", ["wintermute-lovelace"]).score).toBe(0))

test("advice speaks of a passphrase", () =>
  expect(estimate("password", []).advice.toLowerCase()).toContain("passphrase"))
