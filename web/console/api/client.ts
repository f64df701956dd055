/** The one client of the console's HTTP API. Its types are generated from the contract, console/openapi.yaml. */
import createClient, { type Client } from "openapi-fetch"
import type { Problem } from "../../shared/problem"
import type { components, operations, paths } from "./schema"

type Schemas = components["schemas"]

export type Activity = Schemas["Activity"]
export type ActivityKind = Schemas["ActivityKind"]
export type Backup = Schemas["Backup"]
export type ClientOfServer = Schemas["Client"]
export type Failure = Schemas["Failure"]
export type FileVersion = Schemas["FileVersion"]
export type Finding = Schemas["Finding"]
export type LogLevel = Schemas["LogLevel"]
export type LogRecord = Schemas["LogRecord"]
export type Outcome = Schemas["Outcome"]
export type Sample = Schemas["Sample"]
export type ScrubReport = Schemas["ScrubReport"]
export type ScrubState = Schemas["ScrubState"]
export type Setting = Schemas["Setting"]
export type Stats = Schemas["Stats"]
export type Storage = Schemas["Storage"]
export type Transfer = Schemas["Transfer"]

type Query<Operation extends keyof operations> = NonNullable<
  operations[Operation]["parameters"]["query"]
>
export type ActivityQuery = Query<"listActivities">
export type ClientQuery = Query<"listClients">
export type LogQuery = Query<"listLogs">
export type Window = NonNullable<Query<"getHistory">["window"]>

/** A call that did not do what it should. What to tell a person is its cause. */
export class CallError extends Error {
  constructor(
    /** Of HTTP; 0 when there was no answer. */
    readonly status: number,
    problem: Problem,
    /** What it was about, where the server names one field. */
    readonly field?: string,
  ) {
    super(problem.message, { cause: problem })
  }
}

/** Any page can make a browser send a request without a body, but not with this header. */
const guard = { "X-Coffer-Console": "1" } as const

export class Api {
  private readonly client: Client<paths>

  /** onSignedOut is called when a call is refused because the cookie is not, or no more, accepted. */
  constructor(private readonly onSignedOut: () => void) {
    this.client = createClient<paths>({
      baseUrl: self.location.origin,
      // Tests give the page another fetch after this client is made.
      fetch: (request) => fetch(request),
    })
  }

  /** Whether the cookie is accepted. */
  async signedIn(): Promise<boolean> {
    try {
      await this.answer(this.client.GET("/api/session"))
      return true
    } catch (error) {
      if (error instanceof CallError && error.status === 401) return false
      throw error
    }
  }

  async signIn(token: string): Promise<void> {
    await this.answer(this.client.POST("/api/session", { body: { token } }), { signingIn: true })
  }

  async signOut(): Promise<void> {
    await this.answer(this.client.DELETE("/api/session", { params: { header: guard } }))
  }

  history(window: Window) {
    return this.answer(this.client.GET("/api/history", { params: { query: { window } } }))
  }

  activities(query: ActivityQuery) {
    return this.answer(this.client.GET("/api/activities", { params: { query } }))
  }

  clients(query: ClientQuery) {
    return this.answer(this.client.GET("/api/clients", { params: { query } }))
  }

  clientNamed(name: string) {
    return this.answer(this.client.GET("/api/clients/{name}", { params: { path: { name } } }))
  }

  files(name: string, after: string | undefined) {
    const params = { path: { name }, query: after === undefined ? {} : { after } }
    return this.answer(this.client.GET("/api/clients/{name}/files", { params }))
  }

  async endSession(name: string): Promise<void> {
    const params = { path: { name }, header: guard }
    await this.answer(this.client.POST("/api/clients/{name}/end-session", { params }))
  }

  async setBaseAccess(name: string, open: boolean): Promise<void> {
    const params = { path: { name }, header: guard }
    await this.answer(
      open
        ? this.client.POST("/api/clients/{name}/open-base", { params })
        : this.client.POST("/api/clients/{name}/close-base", { params }),
    )
  }

  async suspend(name: string): Promise<void> {
    const params = { path: { name }, header: guard }
    await this.answer(this.client.POST("/api/clients/{name}/suspend", { params }))
  }

  async resume(name: string): Promise<void> {
    const params = { path: { name }, header: guard }
    await this.answer(this.client.POST("/api/clients/{name}/resume", { params }))
  }

  async removeClient(name: string): Promise<void> {
    const params = { path: { name }, query: { confirm: name }, header: guard }
    await this.answer(this.client.DELETE("/api/clients/{name}", { params }))
  }

  transfers() {
    return this.answer(this.client.GET("/api/transfers"))
  }

  async cancelTransfer(id: string): Promise<void> {
    const params = { path: { id }, header: guard }
    await this.answer(this.client.DELETE("/api/transfers/{id}", { params }))
  }

  storage() {
    return this.answer(this.client.GET("/api/storage"))
  }

  startScrub(collect: boolean) {
    return this.answer(this.client.POST("/api/scrub", { body: { collect } }))
  }

  async stopScrub(): Promise<void> {
    await this.answer(this.client.DELETE("/api/scrub", { params: { header: guard } }))
  }

  backups() {
    return this.answer(this.client.GET("/api/backups"))
  }

  createBackup() {
    return this.answer(this.client.POST("/api/backups", { params: { header: guard } }))
  }

  async removeBackup(name: string): Promise<void> {
    const params = { path: { name }, header: guard }
    await this.answer(this.client.DELETE("/api/backups/{name}", { params }))
  }

  logs(query: LogQuery) {
    return this.answer(this.client.GET("/api/logs", { params: { query } }))
  }

  settings() {
    return this.answer(this.client.GET("/api/settings"))
  }

  changeSettings(change: Schemas["SettingsChange"]) {
    return this.answer(this.client.PATCH("/api/settings", { body: change }))
  }

  failures() {
    return this.answer(this.client.GET("/api/failures"))
  }

  /** What a call brought, or the error that it was. */
  private async answer<T>(
    call: Promise<{ data?: T; error?: unknown; response: Response }>,
    { signingIn = false } = {},
  ): Promise<T> {
    let result: Awaited<typeof call>
    try {
      result = await call
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error
      throw new CallError(0, noAnswer)
    }
    const { data, error, response } = result
    if (response.ok) return data as T
    if (response.status === 401 && !signingIn) this.onSignedOut()
    throw refused(response, error)
  }
}

const noAnswer: Problem = {
  title: "The server does not answer",
  message: "It may have been stopped, or this computer has lost its way to it.",
  advice: "This page tries again by itself and says when the server is back.",
  kind: "network",
}

function refused(response: Response, error: unknown): CallError {
  const { detail, field } = (error ?? {}) as { detail?: unknown; field?: unknown }
  // The server's own words, which begin with a small letter and end without a full stop.
  const words = typeof detail === "string" && detail !== "" ? sentence(detail) : ""
  const [title, message, advice, kind] = inWords(response, words)
  return new CallError(
    response.status,
    { title, message, advice, kind },
    typeof field === "string" ? field : undefined,
  )
}

function inWords(
  response: Response,
  words: string,
): [title: string, message: string, advice: string, kind: Problem["kind"]] {
  switch (response.status) {
    case 400:
    case 413:
    case 422:
      return ["That cannot be", words, "Correct it and try again.", "input"]
    case 401:
      return [
        "You are not signed in",
        words,
        "Check the token: the server prints a link with it when it starts.",
        "session",
      ]
    case 403:
      return [
        "The server refuses this page",
        words,
        "Open the console at the address that the server printed when it started.",
        "session",
      ]
    case 404:
      return ["It is not there", words, "It may have gone meanwhile: reload the page.", "input"]
    case 409:
      return ["That is going on already", words, "Wait until it has ended.", "conflict"]
    case 429: {
      const seconds = Number(response.headers.get("Retry-After"))
      const wait = seconds > 0 ? `Wait ${seconds} s, then try again.` : "Wait a little."
      return ["Too many wrong tokens", words, wait, "session"]
    }
    case 507:
      return ["The disk is full", words, "Make room on the server's disk, then try again.", "space"]
    default:
      return [
        "The server could not do it",
        words,
        "Its log says more. Try again when the cause is mended.",
        "server",
      ]
  }
}

function sentence(words: string): string {
  const whole = words.slice(0, 1).toUpperCase() + words.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}
