/**
 * What page and worker say to each other. Passphrases go in, keys never come
 * out: all that is secret stays in the worker.
 */
import type { FileEntry } from "../engine/types"
import type { Failure } from "./failures"

export type KeyNames = {
  username: string
  clientID: string
  /** DER, base64. */
  publicKey: string
  /** Bytes of the header of what is sealed with these keys: always the same. */
  sealHeader: number
}

export type UploadJob = {
  id: string
  /** The lock that this tab holds while it lives. */
  owner: string
  file: File
  name: string
  /** How to send it, if it begins now; one that goes on is sent as it began. */
  seal: boolean
  packetSize: number
  parallel: number
}

export type UploadResult = { cksum: number; version: number | undefined }

/** An upload that was not finished, as this browser remembers it. */
export type Unfinished = {
  id: string
  owner: string
  name: string
  size: number
  sealed: boolean
  sent: number
  started: number
}

export type RestoreJob = {
  id: string
  file: FileEntry
  sink: FileSystemFileHandle | undefined
  /** Whether content is taken that is not sealed, which anybody could have made. */
  unsealed: boolean
}

/** The content, unless it went into a file. */
export type RestoreResult = { cksum: number; content: Blob | undefined }

/** What the page asks of the worker. Every task rejects with a Failure. */
export interface Tasks {
  derivePassword(server: string, username: string, passphrase: string): Promise<string>
  deriveEarlierPassword(username: string, passphrase: string): Promise<string>
  /** Makes keys, keeps them, and returns the bundle that holds them. */
  makeKeys(
    username: string,
    clientID: string,
    passphrase: string,
  ): Promise<KeyNames & { bundle: Uint8Array<ArrayBuffer> }>
  /** Opens a bundle and keeps its keys, if they are of the account. */
  openKeys(account: string, bundle: Uint8Array<ArrayBuffer>, passphrase: string): Promise<KeyNames>
  /** The same keys under another passphrase. */
  rewrap(
    bundle: Uint8Array<ArrayBuffer>,
    current: string,
    next: string,
  ): Promise<Uint8Array<ArrayBuffer>>
  /** Whether a bundle is one that was opened here: its passphrase fits, and its keys are the account's. */
  wasOpened(bundle: Uint8Array<ArrayBuffer>): Promise<boolean>
  setToken(token: string | undefined): Promise<void>
  /** Stops everything and forgets keys and token. */
  forget(): Promise<void>

  unfinished(): Promise<Unfinished[]>
  upload(job: UploadJob): Promise<UploadResult>
  /** Stops an upload so that it can go on later, and returns when it has stopped. */
  pause(id: string): Promise<void>
  /** Stops an upload and forgets it, here and at the server. */
  discard(id: string): Promise<void>

  restore(job: RestoreJob): Promise<RestoreResult>
  stopRestore(id: string): Promise<void>
}

/** What happened on the way that a person wants to know; "none" takes the last one back. */
export type Note =
  /** The file is another one than before, and is sent from the start. */
  | "changed"
  /** The server dropped what was sent. */
  | "dropped"
  /** The server is not reached. */
  | "waiting"
  | "none"

export type UploadProgress = {
  state?: "sealing" | "sending" | "verifying"
  sent?: number
  attempt?: number
  note?: Note
}

export type RestoreProgress = { state?: "receiving" | "checking"; received?: number }

export type WorkerEvent =
  | { event: "upload"; id: string; progress: UploadProgress }
  | { event: "restore"; id: string; progress: RestoreProgress }
  /** The server does not take the token any more. */
  | { event: "unauthorized" }

export type Call = { call: number; task: keyof Tasks; args: unknown[] }
export type Reply = { call: number; result?: unknown; failure?: Failure }
