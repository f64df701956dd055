/**
 * What this browser has seen of an account's files: of each name the newest
 * version, and the digest of its ciphertext. A server that goes back to an
 * earlier version, or puts another in its place, is noticed by it.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb"
import type { Problem } from "../../shared/problem"
import type { Doubt, FileEntry } from "./types"

type Memento = { account: string; name: string; version: number; sha256: string }

interface Schema extends DBSchema {
  seen: { key: [string, string]; value: Memento; indexes: { account: string } }
}

export class Seen {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  static async open(): Promise<Seen> {
    const db = await openDB<Schema>("coffer-seen", 1, {
      upgrade(db) {
        db.createObjectStore("seen", { keyPath: ["account", "name"] }).createIndex(
          "account",
          "account",
        )
      },
    })
    return new Seen(db)
  }

  /** Marks the newest versions that do not go together with what was seen, and remembers the others. */
  async judge(account: string, newest: FileEntry[]): Promise<FileEntry[]> {
    const change = this.db.transaction("seen", "readwrite")
    const known = new Map<string, Memento>()
    for (const one of await change.store.index("account").getAll(account)) known.set(one.name, one)
    const judged = newest.map((file) => {
      const before = known.get(file.filename)
      const doubt = before && compare(before, file)
      if (doubt) return { ...file, doubt }
      if (!before || file.version > before.version) void change.store.put(memento(account, file))
      return file
    })
    await change.done
    return judged
  }

  /** From now on this is what was seen: a person said that it is right. */
  async accept(account: string, file: FileEntry): Promise<void> {
    await this.db.put("seen", memento(account, file))
  }

  /** Forgets a file, of which a version was removed by its owner. */
  async forget(account: string, name: string): Promise<void> {
    await this.db.delete("seen", [account, name])
  }

  /** Forgets all files of an account. */
  async forgetAll(account: string): Promise<void> {
    const change = this.db.transaction("seen", "readwrite")
    for (const key of await change.store.index("account").getAllKeys(account)) {
      void change.store.delete(key)
    }
    await change.done
  }
}

function memento(account: string, file: FileEntry): Memento {
  return { account, name: file.filename, version: file.version, sha256: file.sha256 }
}

function compare(before: Memento, file: FileEntry): Doubt | undefined {
  if (file.version < before.version) return { kind: "older", seen: before.version }
  if (file.version === before.version && file.sha256 !== before.sha256) return { kind: "replaced" }
  return undefined
}

/** What a doubt means, and what to do. */
export function doubtful(doubt: Doubt): Problem {
  const advice =
    "Restore it all the same only if you know why: for example, because you deleted versions on another device."
  if (doubt.kind === "older") {
    return {
      title: "The server went back to an earlier version",
      message: `This browser has seen version ${doubt.seen}, which the server does not offer any more.`,
      advice,
      kind: "doubt",
    }
  }
  return {
    title: "This is not the version that was here",
    message: "Its digest is another one than this browser has seen under the same number.",
    advice,
    kind: "doubt",
  }
}
