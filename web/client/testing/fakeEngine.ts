/**
 * An engine without network and cryptography, for tests of components: it keeps
 * what it was told in memory, and a test sets what it shows.
 */
import type { Problem } from "../../shared/problem"
import { Watched } from "../../shared/watched"
import type {
  Account,
  Download,
  Engine,
  FileEntry,
  QueueSnapshot,
  SessionState,
  Settings,
  Transfer,
} from "../engine/types"

/** A value that a test sets. */
class Shown<T> extends Watched<T> {
  show(value: T) {
    this.replace(value)
  }
}

export const wrongPassphrase: Problem = {
  title: "Name or passphrase is wrong",
  message: "The server knows no such account with this passphrase.",
  advice: "Check both and try again.",
  kind: "passphrase",
}

export function fakeFile(filename: string, over: Partial<FileEntry> = {}): FileEntry {
  return {
    filename,
    version: 1,
    size: 1_016,
    original_size: 1_000,
    crc: "0x1a2b3c4d",
    sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    verified: true,
    created: new Date().toISOString(),
    format: "sealed_file",
    ...over,
  }
}

export function fakeTransfer(name: string, over: Partial<Transfer> = {}): Transfer {
  return {
    id: name,
    name,
    size: 1_000,
    sent: 0,
    state: "waiting",
    sealed: true,
    rate: 0,
    attempt: 1,
    ...over,
  }
}

export class FakeEngine implements Engine {
  readonly passphrase = "correct"
  readonly calls: string[] = []
  stored: FileEntry[] = []

  private sessionState: Shown<SessionState>
  private queueState = new Shown<QueueSnapshot>({
    transfers: [],
    overall: { size: 0, sent: 0, rate: 0, active: 0 },
  })
  private restoreState = new Shown<readonly Download[]>([])
  private settingsState = new Shown<Settings>({ seal: true, packetSize: 4 << 20, parallel: 3 })

  constructor(state: SessionState = { state: "signed-out" }) {
    this.sessionState = new Shown(state)
  }

  /** What the session says from now on. */
  become(state: SessionState) {
    this.sessionState.show(state)
  }

  /** What the queue says from now on. */
  show(transfers: Transfer[]) {
    const open = transfers.filter((t) => !["verified", "cancelled", "failed"].includes(t.state))
    this.queueState.show({
      transfers,
      overall: {
        size: open.reduce((sum, t) => sum + t.size, 0),
        sent: open.reduce((sum, t) => sum + t.sent, 0),
        rate: open.reduce((sum, t) => sum + t.rate, 0),
        secondsLeft: open.length > 0 ? 12 : undefined,
        active: open.length,
      },
    })
  }

  /** What the restores say from now on. */
  showRestores(downloads: Download[]) {
    this.restoreState.show(downloads)
  }

  private signedIn(username: string): SessionState {
    return { state: "signed-in", username, expires: new Date(Date.now() + 3_600_000) }
  }

  private check(passphrase: string) {
    if (passphrase !== this.passphrase) throw wrongPassphrase
  }

  get session(): Engine["session"] {
    const { sessionState } = this
    const name = () => {
      const now = sessionState.getSnapshot()
      return now.state === "signed-out" ? "" : now.username
    }
    return {
      getSnapshot: sessionState.getSnapshot,
      subscribe: sessionState.subscribe,
      register: async (username, _passphrase, onStep) => {
        onStep("Making your keys")
        this.become(this.signedIn(username))
      },
      signIn: async (username, passphrase) => {
        this.check(passphrase)
        this.become(this.signedIn(username))
      },
      renew: async (passphrase) => {
        this.check(passphrase)
        this.become(this.signedIn(name()))
      },
      importRecoveryFile: async (_file, passphrase) => {
        this.check(passphrase)
        this.become(this.signedIn(name()))
      },
      makeKeys: async () => this.become(this.signedIn(name())),
      recoveryFile: async () => new Blob(["age-encryption.org/v1\n"]),
      changePassphrase: async (current) => this.check(current),
      signOut: async (everywhere) => {
        this.calls.push(everywhere ? "sign out everywhere" : "sign out")
        this.become({ state: "signed-out" })
      },
      removeAccount: async (passphrase) => {
        this.check(passphrase)
        this.become({ state: "signed-out" })
      },
    }
  }

  readonly queue: Engine["queue"] = {
    getSnapshot: this.queueState.getSnapshot,
    subscribe: this.queueState.subscribe,
    add: (files) => {
      this.show([
        ...this.queueState.getSnapshot().transfers,
        ...files.map(({ file, name }) => fakeTransfer(name, { size: file.size })),
      ])
    },
    pause: (id) => void this.calls.push(`pause ${id}`),
    resume: (id) => void this.calls.push(`resume ${id}`),
    cancel: (id) => void this.calls.push(`cancel ${id}`),
    retry: (id) => void this.calls.push(`retry ${id}`),
    pauseAll: () => void this.calls.push("pause all"),
    resumeAll: () => void this.calls.push("resume all"),
    clearFinished: () => void this.calls.push("clear finished"),
    giveFile: (id, file) => void this.calls.push(`give ${id} ${file.name}`),
  }

  readonly restore: Engine["restore"] = {
    getSnapshot: this.restoreState.getSnapshot,
    subscribe: this.restoreState.subscribe,
    start: (entry, options) => {
      this.calls.push(
        `restore ${entry.filename} ${entry.version}${options?.trusted ? " trusted" : ""}`,
      )
      return entry.filename
    },
    cancel: (id) => void this.calls.push(`cancel restore ${id}`),
    dismiss: (id) => void this.calls.push(`dismiss ${id}`),
  }

  readonly settings: Engine["settings"] = {
    getSnapshot: this.settingsState.getSnapshot,
    subscribe: this.settingsState.subscribe,
    set: (change) => this.settingsState.show({ ...this.settingsState.getSnapshot(), ...change }),
  }

  readonly server: Engine["server"] = {
    account: async (): Promise<Account> => ({
      username: "ada",
      created: "2026-03-02T09:30:00Z",
      files: this.stored.length,
      versions: this.stored.reduce((sum, f) => sum + f.version, 0),
      bytes: this.stored.reduce((sum, f) => sum + f.size, 0),
      uploads: 0,
      key_bits: 3072,
      has_password: true,
      has_bundle: true,
      keep_versions: 5,
      wire_id: "6f1c7a520b0e4f0d9d3c0c4d1c9a7b21",
      base_open: false,
    }),
    files: async () => this.stored,
    file: async (name) => {
      const file = this.stored.find((f) => f.filename === name)
      if (!file) throw { ...wrongPassphrase, title: "There is no such file", kind: "input" }
      const versions = Array.from({ length: file.version }, (_, i) => ({
        ...file,
        version: i + 1,
        created: new Date(
          Date.parse(file.created) - (file.version - i - 1) * 86_400_000,
        ).toISOString(),
      }))
      return {
        file,
        versions,
        aes_key_encrypted: "",
        key_size: 384,
        oaep_hash: "sha256",
        key_fingerprint: "",
      }
    },
    remove: async (name, version) => {
      this.calls.push(`remove ${name} ${version ?? "all"}`)
      this.stored = this.stored.filter((f) => f.filename !== name)
    },
    status: async () => ({
      server_running: true,
      clients_connected: 2,
      total_registered: 12,
      database: "operational",
      storage: "operational",
      started: "2026-11-20T08:00:00Z",
      version: "1.4.0",
    }),
  }
}
