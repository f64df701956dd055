/** What goes wrong, as codes that cross from the worker to the page. The page has the words for them. */
import { ApiError, NetworkError } from "../api/client"
import { BundleError, SealError } from "../crypto/errors"

export type Failure =
  /** There was no answer. */
  | { code: "network" }
  /** The server answered, and refused; the message is its own. */
  | { code: "refused"; status: number; message: string }
  /** A key bundle does not open. */
  | { code: "bundle"; reason: BundleError["reason"] }
  /** A key bundle opens, and holds the keys of another account. */
  | { code: "other-account"; found: string; wanted: string }
  /** There are no keys: nobody is signed in here. */
  | { code: "no-keys" }
  /** What came is not what was backed up. */
  | { code: "tampered" }
  /** The server answered with another version than the one in its list. */
  | { code: "other-file" }
  /** It was backed up with keys that are not here. */
  | { code: "other-key" }
  /** Content without a seal, which nobody said to trust. */
  | { code: "not-sealed" }
  /** What arrived at the server never was what was sent. */
  | { code: "mismatch" }
  /** Another tab sends the file. */
  | { code: "other-tab" }
  /** The page had it stopped. */
  | { code: "stopped" }
  /** The worker did not start. */
  | { code: "no-worker" }
  /** The browser refused; the name is that of its exception. */
  | { code: "browser"; name: string }
  | { code: "unexpected" }

/** An error that says by a code what went wrong. */
export class Failed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.code)
  }
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Failed) return error.failure
  if (error instanceof NetworkError) return { code: "network" }
  if (error instanceof SealError) return { code: "tampered" }
  if (error instanceof BundleError) return { code: "bundle", reason: error.reason }
  if (error instanceof ApiError) {
    return { code: "refused", status: error.status, message: error.message }
  }
  if (error instanceof DOMException) return { code: "browser", name: error.name }
  return { code: "unexpected" }
}
