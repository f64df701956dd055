/**
 * What the engine offers to the pages: the session, the queue of uploads, the
 * restores, the settings of both, and the server's lists. Pages know these types
 * and nothing of keys, workers or requests.
 */
import type { Problem } from "../../shared/problem"
import type { Store } from "../../shared/watched"
import type { components } from "../api/schema"

type Schemas = components["schemas"]

export type SessionState =
  | { state: "signed-out" }
  /** The account has no key bundle: a recovery file is imported, or keys are made. */
  | { state: "needs-keys"; username: string }
  | { state: "signed-in"; username: string; expires: Date }
  /** The keys are still in memory; the passphrase is asked again. */
  | { state: "expired"; username: string }

/** Who is signed in. Every method rejects with a Problem. */
export interface Session extends Store<SessionState> {
  register(username: string, passphrase: string, onStep: (step: string) => void): Promise<void>
  signIn(username: string, passphrase: string): Promise<void>
  renew(passphrase: string): Promise<void>
  importRecoveryFile(file: File, passphrase: string): Promise<void>
  makeKeys(passphrase: string): Promise<void>
  recoveryFile(): Promise<Blob>
  changePassphrase(current: string, next: string): Promise<void>
  signOut(everywhere?: boolean): Promise<void>
  removeAccount(passphrase: string): Promise<void>
}

export type TransferState =
  | "waiting"
  | "sealing"
  | "sending"
  | "verifying"
  | "verified"
  | "paused"
  | "failed"
  | "cancelled"
  | "unfinished"

/** A file on its way to the server, or one that arrived. */
export type Transfer = {
  id: string
  name: string
  size: number
  /** Bytes of the file that the server said it has. */
  sent: number
  state: TransferState
  sealed: boolean
  /** Bytes a second. */
  rate: number
  secondsLeft?: number
  /** From 1; the checksum did not match in those before. */
  attempt: number
  version?: number
  cksum?: number
  problem?: Problem
  startedAt?: Date
  finishedAt?: Date
  /** After a reload: the same file has to be chosen again. */
  needsFile?: boolean
  /** A sentence on what happened on the way, such as that it started over and why. */
  note?: string
}

export type QueueSnapshot = {
  transfers: readonly Transfer[]
  /** Of what is not finished. */
  overall: { size: number; sent: number; rate: number; secondsLeft?: number; active: number }
}

/** A file that was chosen; the name is its path, with / between folders. */
export type Picked = { file: File; name: string }

export interface Queue extends Store<QueueSnapshot> {
  add(files: Picked[]): void
  pause(id: string): void
  resume(id: string): void
  cancel(id: string): void
  retry(id: string): void
  pauseAll(): void
  resumeAll(): void
  clearFinished(): void
  /** Brings the file of a transfer that needs it. */
  giveFile(id: string, file: File): void
}

/** A stored version. Of a sealed one, original_size is that of the file in it. */
export type FileEntry = Schemas["File"] & { doubt?: Doubt }
/** What does not go together with what this browser has seen of a file. */
export type Doubt =
  /** A newer version was here. */
  | { kind: "older"; seen: number }
  /** The version was another one. */
  | { kind: "replaced" }
export type FileDetails = Omit<Schemas["FileDetails"], "file" | "versions"> & {
  file: FileEntry
  versions: FileEntry[]
}
export type Account = Schemas["Account"]
export type Status = Schemas["Status"]

/** A file on its way back. */
export type Download = {
  id: string
  entry: FileEntry
  name: string
  size: number
  received: number
  state: "receiving" | "checking" | "done" | "failed" | "cancelled"
  rate: number
  secondsLeft?: number
  /** Computed here, and equal to the server's. */
  cksum?: number
  problem?: Problem
}

export interface Restore extends Store<readonly Download[]> {
  /**
   * Starts to restore a file, into a file on disk or as a download, and returns its
   * id. One that is not sealed, or in doubt, fails unless it is trusted.
   */
  start(entry: FileEntry, options?: { sink?: FileSystemFileHandle; trusted?: boolean }): string
  cancel(id: string): void
  /** Takes a finished one off the list. */
  dismiss(id: string): void
}

/** How files are sent from now on. */
export type Settings = { seal: boolean; packetSize: number; parallel: number }

export interface SettingsStore extends Store<Settings> {
  set(change: Partial<Settings>): void
}

/** What the server has of the account. Every method rejects with a Problem. */
export interface Server {
  account(): Promise<Account>
  /** All files, newest version each. */
  files(): Promise<FileEntry[]>
  file(name: string): Promise<FileDetails>
  /** Removes one version, or all. */
  remove(name: string, version?: number): Promise<void>
  status(): Promise<Status>
}

export interface Engine {
  session: Session
  queue: Queue
  restore: Restore
  settings: SettingsStore
  server: Server
}
