/** What goes wrong when something is opened. */

/** What was sealed does not open: it was changed, cut short, or sealed for a different identity. */
export class SealError extends Error {}

/** A key bundle that does not open. */
export class BundleError extends Error {
  constructor(
    /** The passphrase is wrong, or the file was damaged. The two differ to a person. */
    readonly reason: "passphrase" | "damaged",
    options?: ErrorOptions,
  ) {
    super(`the key bundle does not open: ${reason}`, options)
  }
}
