/**
 * A browser that is driven by its debugging pipe alone. Playwright watches the
 * network and copies every packet on the way, which takes longer than all that
 * is to be measured.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { until } from "../e2e/stack"

type Answer = { id?: number; result?: unknown; error?: { message: string } }
type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void }

export class Chromium {
  private readonly waiting = new Map<number, Waiting>()
  private calls = 0
  private received = ""

  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
  ) {
    const pipe = process.stdio[4] as Readable
    pipe.setEncoding("utf8").on("data", (text: string) => {
      const messages = (this.received + text).split("\0")
      this.received = messages.pop() ?? ""
      for (const message of messages) this.take(JSON.parse(message))
    })
  }

  static async launch(args: string[]): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), "coffer-bench-"))
    const process = spawn(
      globalThis.process.env.COFFER_CHROMIUM ?? "/usr/bin/chromium",
      [...args, "--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    )
    return new Chromium(process, profile)
  }

  private take({ id, result, error }: Answer) {
    if (id === undefined) return
    const call = this.waiting.get(id)
    this.waiting.delete(id)
    if (error) call?.reject(new Error(error.message))
    else call?.resolve(result as never)
  }

  send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.calls
    const pipe = this.process.stdio[3] as Writable
    pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  /** Opens a page, in which the script runs before any of its own. */
  async page(url: string, script = ""): Promise<Page> {
    const { targetId } = await this.send<{ targetId: string }>("Target.createTarget", {
      url: "about:blank",
    })
    const { sessionId } = await this.send<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    })
    const page = new Page(this, sessionId)
    await page.send("Page.enable")
    await page.send("Page.addScriptToEvaluateOnNewDocument", { source: script })
    await page.send("Page.navigate", { url })
    await until("the page", () => page.evaluate(`document.readyState === "complete"`))
    return page
  }

  async close() {
    const gone = once(this.process, "exit")
    this.process.kill()
    await gone
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

export class Page {
  constructor(
    private readonly browser: Chromium,
    private readonly session: string,
  ) {}

  send<T>(method: string, params: object = {}): Promise<T> {
    return this.browser.send<T>(method, params, this.session)
  }

  async evaluate<T>(expression: string): Promise<T> {
    type Evaluated = { result: { value: T }; exceptionDetails?: { exception?: object } }
    const { result, exceptionDetails } = await this.send<Evaluated>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails.exception))
    return result.value
  }

  /** Waits until the expression, which may name elements that are not there yet, is true. */
  async sees(expression: string, seconds = 30) {
    await until(
      expression,
      () => this.evaluate<boolean>(`(() => { try { return !!(${expression}) } catch {} })()`),
      seconds,
    )
  }

  async clicks(element: string) {
    // Looked for and pressed in one, for the page may change between.
    await this.sees(`((element) => element && (element.click(), true))(${element})`)
  }

  async fills(element: string, text: string) {
    await this.sees(element)
    await this.evaluate(`(${element}).focus()`)
    await this.send("Input.insertText", { text })
  }

  async choosesFile(input: string, path: string) {
    await this.sees(input)
    type Found = { result: { objectId: string } }
    const { result } = await this.send<Found>("Runtime.evaluate", { expression: input })
    await this.send("DOM.setFileInputFiles", { files: [path], objectId: result.objectId })
  }
}
