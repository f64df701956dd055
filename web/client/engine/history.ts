/** What was backed up from this browser, by account. */
import { type DBSchema, openDB } from "idb"
import type { Transfer } from "./types"

/** Older entries give way. */
const kept = 500

interface Schema extends DBSchema {
  transfers: {
    key: string
    value: { id: string; account: string; transfer: Transfer }
    indexes: { account: string }
  }
}

const database = openDB<Schema>("coffer-history", 1, {
  upgrade(db) {
    db.createObjectStore("transfers", { keyPath: "id" }).createIndex("account", "account")
  },
})

/** The history of an account, oldest first. */
export async function readHistory(account: string): Promise<Transfer[]> {
  const db = await database
  const entries = await db.getAllFromIndex("transfers", "account", account)
  const transfers = entries.map((entry) => entry.transfer)
  transfers.sort((a, b) => (a.finishedAt?.getTime() ?? 0) - (b.finishedAt?.getTime() ?? 0))
  for (const old of transfers.splice(0, Math.max(0, transfers.length - kept))) {
    await db.delete("transfers", old.id)
  }
  return transfers
}

export async function addToHistory(account: string, transfer: Transfer): Promise<void> {
  await (await database).put("transfers", { id: transfer.id, account, transfer })
}

export async function forgetHistory(ids: string[]): Promise<void> {
  const db = await database
  await Promise.all(ids.map((id) => db.delete("transfers", id)))
}
