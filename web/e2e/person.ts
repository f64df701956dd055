/** A person at a browser: what they see and press, by the names that a screen reader would read out. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import type { BrowserContextOptions } from "playwright-core"
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Download,
  type Page,
} from "playwright-core"
import type { Stack } from "./stack"

export const passphrase = "glacier pewter mongoose ladle"

export const chromiumFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

export function launch(...flags: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.COFFER_CHROMIUM ?? "/usr/bin/chromium",
    args: [...chromiumFlags, ...flags],
  })
}

export class Person {
  /** Errors of the page itself: a test that ends with any has failed. */
  readonly errors: string[] = []

  private constructor(
    readonly stack: Stack,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly name: string,
  ) {}

  /** Sits down at a browser that has never been here. */
  static async arrives(
    browser: Browser,
    stack: Stack,
    name: string,
    options: BrowserContextOptions = {},
  ): Promise<Person> {
    const context = await browser.newContext({ acceptDownloads: true, locale: "en-GB", ...options })
    // The dialog of the operating system cannot be answered by a test. What is
    // written goes to the browser's own disk instead, where downloaded() reads it.
    await context.addInitScript(() => {
      Object.assign(window, {
        showSaveFilePicker: async (options: { suggestedName: string }) => {
          const folder = await navigator.storage.getDirectory()
          return folder.getFileHandle(options.suggestedName, { create: true })
        },
      })
    })
    const person = new Person(stack, context, await context.newPage(), name)
    person.watch(person.page)
    return person
  }

  private watch(page: Page) {
    watch(page, this.errors)
  }

  /** The same person, in a second tab of the same browser. */
  async secondTab(): Promise<Person> {
    const other = new Person(this.stack, this.context, await this.context.newPage(), this.name)
    other.watch(other.page)
    return other
  }

  async leaves() {
    await this.context.close()
  }

  async goes(path: string) {
    await this.page.goto(this.stack.url + path)
  }

  async presses(name: string | RegExp) {
    await this.page.getByRole("button", { name, exact: typeof name === "string" }).click()
  }

  async opens(place: "Dashboard" | "Transfers" | "Files" | "Settings") {
    await this.page
      .getByRole("navigation", { name: "Pages" })
      .getByRole("link", { name: place })
      .click()
    await this.sees(place)
  }

  /** Waits for a heading. */
  async sees(heading: string) {
    await this.page.getByRole("heading", { name: heading, exact: true }).waitFor()
  }

  async registers(secret = passphrase) {
    await this.goes("/register")
    await this.page.getByLabel("Account name").fill(this.name)
    await this.page.getByLabel("Passphrase", { exact: true }).fill(secret)
    await this.page.getByLabel("Repeat the passphrase").fill(secret)
    await this.page.getByRole("checkbox").check()
    await this.presses("Create account")
    await this.sees("Save your recovery file")
  }

  async skipsRecoveryFile() {
    await this.page.getByLabel("I will save it later.").check()
    await this.presses("Continue")
    await this.sees("Dashboard")
  }

  async signsIn(secret = passphrase) {
    await this.goes("/")
    await this.page.getByLabel("Account name").fill(this.name)
    await this.page.getByLabel("Passphrase", { exact: true }).fill(secret)
    await this.presses("Sign in")
  }

  /** Types the passphrase again where a reload, or a new tab, wants it. */
  async signsInIfAsked() {
    if (this.page.url() === "about:blank") await this.goes("/")
    const full = this.page.getByLabel("Account name")
    const again = this.page.getByLabel(`Passphrase of ${this.name}`)
    const inside = this.page.getByRole("navigation", { name: "Pages" })
    await full.or(again).or(inside).first().waitFor()
    if (await full.isVisible()) {
      await full.fill(this.name)
      await this.page.getByLabel("Passphrase", { exact: true }).fill(passphrase)
      await this.presses("Sign in")
    } else if (await again.isVisible()) {
      await again.fill(passphrase)
      await this.presses("Continue")
    }
    await inside.waitFor()
    await again.waitFor({ state: "hidden" })
  }

  /** Chooses files on the page of transfers. */
  async backsUp(...paths: string[]) {
    await this.opens("Transfers")
    await this.page.getByLabel("Files to back up").setInputFiles(paths)
  }

  /** The row of a file on the page of transfers, wherever it stands there. */
  row(name: string) {
    return this.page.getByRole("main").getByRole("listitem").filter({ hasText: name })
  }

  async seesState(name: string, state: string, seconds = 120) {
    await this.row(name)
      .getByText(state, { exact: true })
      .first()
      .waitFor({ timeout: 1000 * seconds })
  }

  /** Restores a file from the list and returns the SHA-256 of what came. One that is not sealed takes a second word. */
  async restores(name: string, sealed = true): Promise<string> {
    await this.opens("Files")
    const button = this.page.getByRole("button", { name: `Restore: ${name}`, exact: true })
    await button.waitFor()
    const download = this.page.waitForEvent("download", { timeout: 180_000 }).catch(() => undefined)
    await button.click()
    if (!sealed) await this.presses("Restore it all the same")
    await this.opens("Transfers")
    await this.seesState(name, "Restored", 180)
    const streamed = await this.streamed(name)
    if (streamed) return streamed
    const file = await download
    if (!file) throw new Error(`${name} was restored, but nothing was saved`)
    return hashOfFile(await pathOf(file))
  }

  /** The SHA-256 of a file that was streamed to disk, if it was. */
  private streamed(name: string): Promise<string | undefined> {
    return this.page.evaluate(async (name) => {
      const folder = await navigator.storage.getDirectory()
      let file: File
      try {
        file = await (await folder.getFileHandle(name)).getFile()
      } catch {
        return undefined
      }
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer())
      return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("")
    }, name)
  }

  /** The words of the message that says what went wrong. */
  async seesProblem(words: RegExp) {
    await this.page.getByText(words).first().waitFor()
  }
}

/** Notes the errors of a page itself. */
export function watch(page: Page, errors: string[]) {
  // Only what never comes is wrong: on a machine at work a passphrase takes a minute to be hashed.
  page.setDefaultTimeout(180_000)
  page.on("pageerror", (error) => errors.push(error.message))
  page.on("console", (message) => {
    // Chromium itself notes every answer that is an error.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      errors.push(message.text())
    }
  })
}

async function pathOf(download: Download): Promise<string> {
  const failure = await download.failure()
  if (failure) throw new Error(`the download failed: ${failure}`)
  return download.path()
}

export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest("hex")
}

export function hashOf(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex")
}
