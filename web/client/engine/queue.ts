/** The queue of uploads: what is sent when, and what a person may say to it. */

import { Watched } from "../../shared/watched"
import type { UploadProgress } from "../worker/protocol"
import { addToHistory, forgetHistory, readHistory } from "./history"
import { problemOf, sentenceOf } from "./problems"
import { Rate, secondsLeft } from "./rate"
import type { Remote } from "./remote"
import type {
  Picked,
  Queue,
  QueueSnapshot,
  Session,
  SettingsStore,
  Transfer,
  TransferState,
} from "./types"

/** Files at a time: one is read and encrypted while the other waits for the server. */
const filesAtOnce = 2

/** The snapshot changes no more often than this, in milliseconds. */
const pace = 120

const nothing: QueueSnapshot = {
  transfers: [],
  overall: { size: 0, sent: 0, rate: 0, active: 0 },
}

const openStates = new Set<TransferState>(["waiting", "sealing", "sending", "verifying"])
const movingStates = new Set<TransferState>(["sealing", "sending", "verifying"])

export class LiveQueue extends Watched<QueueSnapshot> implements Queue {
  private readonly transfers = new Map<string, Transfer>()
  private readonly files = new Map<string, File>()
  private readonly rates = new Map<string, Rate>()
  private readonly running = new Set<string>()
  /** What a person asked of one that runs, to be done when it has stopped. */
  private readonly stopping = new Map<string, "paused" | "cancelled">()
  /** Cancelled ones that the worker still forgets. */
  private readonly discarding = new Map<string, Promise<void>>()
  private readonly overallRate = new Rate()
  /** Bytes that were sent by what is finished, so that the overall rate does not fall with each. */
  private finishedBytes = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private account: string | undefined

  constructor(
    private readonly remote: Remote,
    private readonly session: Session,
    private readonly settings: SettingsStore,
    /** The lock that this tab holds while it lives. */
    private readonly tab: string,
  ) {
    super(nothing)
    remote.onEvent((event) => {
      if (event.event === "upload") this.progress(event.id, event.progress)
    })
    session.subscribe(() => void this.follow())
    // What is under way falls in rate even when nothing is heard.
    setInterval(() => this.running.size > 0 && this.publish(), 1_000)
  }

  /** Takes up what the person who signed in had left unfinished; forgets it all when they sign out. */
  private async follow() {
    const now = this.session.getSnapshot()
    if (now.state === "signed-out") {
      this.account = undefined
      for (const map of [this.transfers, this.files, this.rates, this.stopping]) map.clear()
      this.publish()
      return
    }
    if (now.state !== "signed-in" || this.account === now.username) return
    this.account = now.username
    const [history, unfinished, locks] = await Promise.all([
      readHistory(now.username).catch(() => []),
      this.remote.ask("unfinished").catch(() => []),
      navigator.locks.query(),
    ])
    if (this.account !== now.username) return
    const tabs = new Set(locks.held?.map((lock) => lock.name))
    for (const transfer of history) {
      if (!this.transfers.has(transfer.id)) this.transfers.set(transfer.id, transfer)
    }
    for (const { id, owner, name, size, sealed, sent, started } of unfinished) {
      // Another tab that is open has it in hand.
      if (owner !== this.tab && tabs.has(owner)) continue
      if (this.transfers.has(id)) continue
      this.transfers.set(id, {
        id,
        name,
        size,
        sent,
        sealed,
        state: "unfinished",
        needsFile: true,
        rate: 0,
        attempt: 1,
        startedAt: new Date(started),
      })
    }
    this.publish()
  }

  add = (files: Picked[]) => {
    for (const { file, name } of files) {
      const id = crypto.randomUUID()
      this.files.set(id, file)
      this.transfers.set(id, {
        id,
        name,
        size: file.size,
        sent: 0,
        sealed: this.settings.getSnapshot().seal,
        state: "waiting",
        rate: 0,
        attempt: 1,
      })
    }
    this.publish()
    this.next()
  }

  pause = (id: string) => {
    const transfer = this.transfers.get(id)
    if (!transfer || !openStates.has(transfer.state)) return
    if (this.running.has(id)) {
      this.stopping.set(id, "paused")
      void this.remote.ask("pause", id)
    }
    this.change(id, { state: "paused", rate: 0, secondsLeft: undefined, note: undefined })
  }

  resume = (id: string) => {
    if (this.transfers.get(id)?.state !== "paused") return
    this.change(id, { state: "waiting" })
    this.next()
  }

  retry = (id: string) => {
    const transfer = this.transfers.get(id)
    if (!transfer || !this.files.has(id)) return
    if (transfer.state !== "failed" && transfer.state !== "cancelled") return
    void forgetHistory([id]).catch(() => {})
    this.change(id, {
      state: "waiting",
      problem: undefined,
      note: undefined,
      finishedAt: undefined,
      attempt: 1,
    })
    this.next()
  }

  cancel = (id: string) => {
    const transfer = this.transfers.get(id)
    if (!transfer) return
    if (this.running.has(id)) this.stopping.set(id, "cancelled")
    this.discard(id)
    this.finish(id, {
      state: "cancelled",
      sent: 0,
      problem: undefined,
      note: undefined,
      needsFile: undefined,
    })
  }

  private discard(id: string) {
    const discarding: Promise<void> = this.remote
      .ask("discard", id)
      .catch(() => {})
      .finally(() => {
        if (this.discarding.get(id) === discarding) this.discarding.delete(id)
      })
    this.discarding.set(id, discarding)
  }

  pauseAll = () => {
    for (const { id } of this.transfers.values()) this.pause(id)
  }

  resumeAll = () => {
    for (const { id } of this.transfers.values()) this.resume(id)
  }

  clearFinished = () => {
    const done = [...this.transfers.values()].filter(
      ({ state }) => state === "verified" || state === "cancelled",
    )
    for (const { id } of done) this.forget(id)
    void forgetHistory(done.map(({ id }) => id)).catch(() => {})
    this.publish()
  }

  giveFile = (id: string, file: File) => {
    if (!this.transfers.get(id)?.needsFile) return
    this.files.set(id, file)
    this.change(id, { state: "waiting", needsFile: undefined, size: file.size })
    this.next()
  }

  private forget(id: string) {
    this.transfers.delete(id)
    this.files.delete(id)
    this.rates.delete(id)
  }

  /** Starts what may start. */
  private next() {
    for (const { id, state } of this.transfers.values()) {
      if (this.running.size >= filesAtOnce) return
      if (state === "waiting" && !this.running.has(id)) void this.send(id)
    }
  }

  private async send(id: string) {
    const transfer = this.transfers.get(id)
    const file = this.files.get(id)
    if (!transfer || !file) return
    const { packetSize, parallel } = this.settings.getSnapshot()
    this.running.add(id)
    this.rates.set(id, new Rate())
    this.change(id, { state: "sealing", startedAt: transfer.startedAt ?? new Date() })
    try {
      // Tried again at once, it must not go on with what is being forgotten.
      await this.discarding.get(id)
      if (this.stopping.has(id)) return
      const { cksum, version } = await this.remote.ask("upload", {
        id,
        owner: this.tab,
        file,
        name: transfer.name,
        seal: transfer.sealed,
        packetSize,
        parallel,
      })
      this.finishedBytes += transfer.size
      this.files.delete(id)
      this.finish(id, {
        state: "verified",
        sent: this.transfers.get(id)?.size ?? transfer.size,
        cksum,
        version,
        note:
          this.stopping.get(id) === "cancelled"
            ? "It had arrived before it could be cancelled."
            : undefined,
      })
    } catch (error) {
      if (!this.stopping.has(id)) {
        this.change(id, { state: "failed", problem: problemOf(error), rate: 0, note: undefined })
      }
    } finally {
      this.running.delete(id)
      this.stopping.delete(id)
      this.next()
    }
  }

  private progress(id: string, progress: UploadProgress) {
    if (!this.running.has(id) || this.stopping.has(id)) return
    const { note, ...rest } = progress
    this.change(id, { ...rest, ...(note !== undefined && { note: sentenceOf(note) }) })
  }

  private finish(id: string, change: Partial<Transfer>) {
    this.change(id, { ...change, rate: 0, secondsLeft: undefined, finishedAt: new Date() })
    const transfer = this.transfers.get(id)
    if (transfer && this.account) void addToHistory(this.account, transfer).catch(() => {})
  }

  private change(id: string, change: Partial<Transfer>) {
    const transfer = this.transfers.get(id)
    if (!transfer) return
    const changed = { ...transfer, ...change }
    this.transfers.set(id, changed)
    if (change.sent !== undefined) this.rates.get(id)?.count(change.sent)
    // A state is shown at once; figures wait their turn.
    if (change.state && change.state !== transfer.state) this.publish()
    else this.timer ??= setTimeout(() => this.publish(), pace)
  }

  private publish() {
    clearTimeout(this.timer)
    this.timer = undefined
    let size = 0
    let sent = 0
    let active = 0
    for (const [id, transfer] of this.transfers) {
      if (movingStates.has(transfer.state)) this.measure(id, transfer)
      if (openStates.has(transfer.state)) active++
      if (openStates.has(transfer.state) || transfer.state === "paused") {
        size += transfer.size
        sent += transfer.sent
      }
    }
    this.overallRate.count(this.finishedBytes + sent)
    const rate = active > 0 ? this.overallRate.perSecond() : 0
    this.replace({
      transfers: [...this.transfers.values()],
      overall: { size, sent, rate, secondsLeft: secondsLeft(size - sent, rate), active },
    })
  }

  private measure(id: string, transfer: Transfer) {
    const rate = this.rates.get(id)?.perSecond() ?? 0
    if (Math.round(rate) === Math.round(transfer.rate)) return
    this.transfers.set(id, {
      ...transfer,
      rate,
      secondsLeft: secondsLeft(transfer.size - transfer.sent, rate),
    })
  }
}
