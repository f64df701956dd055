/** The worker: it has the keys, and does all that takes time. */

import { Api } from "../api/client"
import { deriveEarlierPassword, derivePassword } from "../crypto/derive"
import { toBase64, toHex } from "../crypto/encoding"
import { Keys, newProfile, openBundle, sealBundle } from "../crypto/keys"
import { newSealSeed } from "../crypto/seal"
import { Failed, failureOf } from "./failures"
import type { Call, KeyNames, Reply, Tasks, WorkerEvent } from "./protocol"
import { Records } from "./records"
import { restore } from "./restore"
import { upload } from "./upload"

/** Something that goes on until it ends or is stopped. */
type Run = { stop: () => void; ended: Promise<void> }

class Worker implements Tasks {
  private readonly api = new Api(() => this.token)
  private readonly records = Records.open()
  private readonly running = new Map<string, Run>()
  private keys: Keys | undefined
  /** SHA-256 of each bundle that was opened here, and found to hold the account's keys. */
  private readonly opened = new Set<string>()
  private token: string | undefined
  /** The token was refused; those who wait for another. */
  private refused = false
  private waiting: (() => void)[] = []

  derivePassword = derivePassword
  deriveEarlierPassword = deriveEarlierPassword

  async makeKeys(username: string, clientID: string, passphrase: string) {
    const profile = await newProfile(username, clientID)
    const bundle = await sealBundle(profile, passphrase)
    this.keys = await Keys.of(await openBundle(bundle, passphrase))
    await this.noteOpened(bundle)
    return { ...(await this.names()), bundle }
  }

  async openKeys(account: string, bundle: Uint8Array<ArrayBuffer>, passphrase: string) {
    const profile = await openBundle(bundle, passphrase)
    if (profile.username !== account) throw otherAccount(profile.username, account)
    this.keys = await Keys.of(profile)
    await this.noteOpened(bundle)
    return this.names()
  }

  async rewrap(bundle: Uint8Array<ArrayBuffer>, current: string, next: string) {
    const profile = await openBundle(bundle, current)
    const { identity, profile: own } = this.open()
    if (profile.identity !== identity) throw otherAccount(profile.username, own.username)
    const locked = await sealBundle(profile, next)
    await this.noteOpened(locked)
    return locked
  }

  async wasOpened(bundle: Uint8Array<ArrayBuffer>) {
    return this.opened.has(await digest(bundle))
  }

  private async noteOpened(bundle: Uint8Array<ArrayBuffer>) {
    this.opened.add(await digest(bundle))
  }

  private async names(): Promise<KeyNames> {
    const { profile, publicKey, identity } = this.open()
    return {
      username: profile.username,
      clientID: profile.client_id,
      publicKey: toBase64(publicKey),
      sealHeader: (await newSealSeed(identity)).header.length,
    }
  }

  private open(): Keys {
    if (this.keys) return this.keys
    throw new Failed({ code: "no-keys" })
  }

  async setToken(token: string | undefined): Promise<void> {
    this.token = token
    if (!token) return
    this.refused = false
    for (const go of this.waiting.splice(0)) go()
  }

  async forget(): Promise<void> {
    const runs = [...this.running.values()]
    for (const run of runs) run.stop()
    await Promise.all(runs.map((run) => run.ended))
    this.keys = undefined
    this.opened.clear()
    this.token = undefined
    this.refused = false
    this.waiting = []
  }

  async unfinished() {
    const records = await (await this.records).all(this.open().profile.username)
    return records.map(({ id, owner, name, size, sealed, sent, started }) => ({
      id,
      owner,
      name,
      size,
      sealed,
      sent,
      started,
    }))
  }

  async upload(job: Parameters<Tasks["upload"]>[0]) {
    const keys = this.open()
    // Stopping it has an effect from here on, also while it waits for what it needs.
    return this.run(job.id, async (signal) => {
      const records = await this.records
      // Another tab may have the same upload in hand.
      return this.alone(`coffer-upload-${job.id}`, () =>
        upload(job, {
          api: this.api,
          keys,
          records,
          signal,
          renewed: this.renewed,
          report: (progress) => emit({ event: "upload", id: job.id, progress }),
        }),
      )
    })
  }

  async pause(id: string): Promise<void> {
    const run = this.running.get(id)
    run?.stop()
    await run?.ended
  }

  async discard(id: string): Promise<void> {
    // Once it has ended, it writes no more records.
    await this.pause(id)
    const records = await this.records
    const record = await records.get(id)
    await records.remove(id)
    if (record?.upload) await this.api.cancelUpload(record.upload.id).catch(() => {})
  }

  async restore(job: Parameters<Tasks["restore"]>[0]) {
    const keys = this.open()
    return this.run(job.id, (signal) =>
      restore(job, {
        api: this.api,
        keys,
        signal,
        renewed: this.renewed,
        report: (progress) => emit({ event: "restore", id: job.id, progress }),
      }),
    )
  }

  async stopRestore(id: string): Promise<void> {
    await this.pause(id)
  }

  private async run<T>(id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const result = work(controller.signal)
    this.running.set(id, {
      stop: () => controller.abort(),
      ended: result.then(
        () => {},
        () => {},
      ),
    })
    try {
      return await result
    } catch (error) {
      throw controller.signal.aborted ? new Failed({ code: "stopped" }) : error
    } finally {
      this.running.delete(id)
    }
  }

  private alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock) return work()
      throw new Failed({ code: "other-tab" })
    }) as Promise<T>
  }

  private renewed = (signal: AbortSignal): Promise<void> => {
    if (!this.refused) {
      this.refused = true
      emit({ event: "unauthorized" })
    }
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve)
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    })
  }
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)))
}

function otherAccount(found: string, wanted: string): Failed {
  return new Failed({ code: "other-account", found, wanted })
}

function emit(event: WorkerEvent) {
  self.postMessage(event)
}

const worker = new Worker()

self.addEventListener("message", async ({ data }: MessageEvent<Call>) => {
  const { call, task, args } = data
  let reply: Reply
  try {
    const run = worker[task] as (...args: unknown[]) => Promise<unknown>
    reply = { call, result: await run.apply(worker, args) }
  } catch (error) {
    reply = { call, failure: failureOf(error) }
  }
  self.postMessage(reply)
})
