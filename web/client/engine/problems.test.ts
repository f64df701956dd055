import { expect, test } from "vitest"
import { ApiError } from "../api/client"
import { BundleError } from "../crypto/errors"
import { Failed, type Failure, failureOf } from "../worker/failures"
import { problemOf } from "./problems"

const failures: Failure[] = [
  { code: "network" },
  { code: "refused", status: 400, message: "filename: too long" },
  { code: "bundle", reason: "passphrase" },
  { code: "bundle", reason: "damaged" },
  { code: "other-account", found: "bob", wanted: "ada" },
  { code: "no-keys" },
  { code: "tampered" },
  { code: "other-file" },
  { code: "other-key" },
  { code: "not-sealed" },
  { code: "mismatch" },
  { code: "other-tab" },
  { code: "stopped" },
  { code: "no-worker" },
  { code: "browser", name: "NotFoundError" },
]

test("what the worker reports arrives whole, and has words", () => {
  for (const failure of failures) {
    const arrived = structuredClone(failureOf(new Failed(failure)))
    expect(arrived).toEqual(failure)
    const problem = problemOf(new Failed(arrived))
    expect(problem, failure.code).not.toEqual(problemOf(new Error("anything else")))
    for (const words of [problem.title, problem.message, problem.advice]) {
      expect(words, failure.code).not.toBe("")
    }
  }
})

test("an error has the same words on both sides of the worker", () => {
  const errors = [
    new ApiError(507, "disk full", undefined),
    new BundleError("damaged"),
    new DOMException("", "QuotaExceededError"),
  ]
  for (const error of errors)
    expect(problemOf(new Failed(failureOf(error)))).toEqual(problemOf(error))
})

test("the words carry what the failure says", () => {
  const other = problemOf(new Failed({ code: "other-account", found: "bob", wanted: "ada" }))
  expect(other.message).toContain("bob, and you are signed in as ada")
  const refused = problemOf(new Failed({ code: "refused", status: 413, message: "too long" }))
  expect(refused.message).toBe("Too long.")
})
