/**
 * How fast the browser backs up and restores, beside the command line with the
 * same file in the same run, and how fast the parts are of which that is made.
 * It prints and judges nothing: figures depend on the machine. The binaries have
 * to hold the client as it was built last: `make build`.
 *
 *   BENCH_MIB   size of the file, 512 by default
 *   BENCH_RUNS  runs of each, of which the best counts, 3 by default
 */
import { randomFillSync } from "node:crypto"
import { open, readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { createServer } from "vite"
import { afterAll, beforeAll, test } from "vitest"
import { chromiumFlags, passphrase } from "../e2e/person"
import { Stack } from "../e2e/stack"
import { Chromium, type Page } from "./chromium"

const mebibytes = Number(process.env.BENCH_MIB ?? 512)
const runs = Number(process.env.BENCH_RUNS ?? 3)
const megabytes = (mebibytes * 1024 * 1024) / 1e6

let browser: Chromium
let stack: Stack
let path: string

beforeAll(async () => {
  browser = await Chromium.launch(chromiumFlags)
  stack = await Stack.start({ direct: true })
  path = await bigFile("file.bin")
})

afterAll(async () => {
  await stack?.stop()
  await browser?.close()
})

test("parts", async () => {
  const server = await createServer({
    root: resolve(import.meta.dirname, ".."),
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false },
  })
  await server.listen()
  try {
    const page = await browser.page(`${server.resolvedUrls?.local[0]}bench/page.html`)
    const figures = await page.evaluate<Record<string, number>>(
      `import("/bench/parts.ts").then((parts) => parts.measure())`,
    )
    for (const [what, rate] of Object.entries(figures)) print(what, rate)
  } finally {
    await server.close()
  }
})

test("whole", async () => {
  await stack.coffer("desk", passphrase, "register", "--name=desk", `--server=${stack.coreAddress}`)
  const page = await browser.page(`${stack.url}/register`, `(${watch})()`)
  await registers(page)

  for (const sealed of [true, false]) {
    const kind = sealed ? "sealed" : "not sealed"
    if (!sealed) {
      await opens(page, "Settings")
      await page.clicks(`document.querySelector("#sealing")`)
    }
    const commandLine: number[] = []
    const web: number[] = []
    // In turns, so that what else the machine does hurts both.
    for (let run = 0; run < runs; run++) {
      const args = ["backup", `--name=${kind}`, sealed ? "--archive" : "--no-seal", path]
      commandLine.push(await seconds(() => stack.coffer("desk", passphrase, ...args)))
      web.push(await backsUp(page))
    }
    const rates = { commandLine: rate(commandLine), web: rate(web) }
    print(`coffer backup, ${kind}`, rates.commandLine)
    print(`browser, ${kind}`, rates.web, `${(rates.web / rates.commandLine).toFixed(2)} of it`)
    print(`browser, restore, ${kind}`, rate([await restores(page)]))
  }
  const { longest, gap } = await page.evaluate<{ longest: number; gap: number }>("watched")
  console.log(`  longest task of the main thread     ${longest ? `${longest} ms` : "under 50 ms"}`)
  console.log(`  longest gap of a timer on it        ${gap} ms, while files were sent`)
  console.log(`  the browser's largest process       ${await largestProcess()} MB at most`)
})

const main = `document.querySelector("main")`

/** An expression for the first element of a kind with that text or label. */
function element(kind: string, words: string, within = "document"): string {
  return `[...${within}.querySelectorAll(${JSON.stringify(kind)})].find((element) =>
    (element.getAttribute("aria-label") ?? element.textContent).trim() === ${JSON.stringify(words)})`
}

function field(label: string): string {
  return `[...document.querySelectorAll("label")].find((label) =>
    label.textContent.replace("*", "").trim() === ${JSON.stringify(label)}).control`
}

/** An expression for how many rows of the page of transfers say so. */
function rows(words: string): string {
  return `[...${main}.querySelectorAll("li")].filter((row) =>
    row.textContent.includes("file.bin") && row.textContent.includes(${JSON.stringify(words)})).length`
}

async function registers(page: Page) {
  await page.fills(field("Account name"), "browser")
  await page.fills(field("Passphrase"), passphrase)
  await page.fills(field("Repeat the passphrase"), passphrase)
  await page.clicks(`document.querySelector("input[type=checkbox]")`)
  await page.clicks(element("button", "Create account"))
  await page.clicks(field("I will save it later."))
  await page.clicks(element("button", "Continue"))
  await page.sees(element("h1", "Dashboard"))
}

async function opens(page: Page, place: string) {
  await page.clicks(element("nav a", place))
  await page.sees(element("h1", place))
}

/** Backs the file up and returns in how many seconds it was verified. */
async function backsUp(page: Page): Promise<number> {
  await opens(page, "Transfers")
  const took = await seconds(async () => {
    await page.evaluate("watching = true")
    await page.choosesFile(
      `document.querySelector("input[type=file]:not([webkitdirectory])")`,
      path,
    )
    await page.sees(rows("Verified"), 600)
    await page.evaluate("watching = false")
  })
  await page.clicks(element("button", "Clear", main))
  await page.sees(`${rows("Verified")} === 0`)
  return took
}

async function restores(page: Page): Promise<number> {
  await opens(page, "Transfers")
  const before = await page.evaluate<number>(rows("Restored"))
  await opens(page, "Files")
  await page.clicks(element("button", "Restore: file.bin"))
  return seconds(async () => {
    await opens(page, "Transfers")
    await page.sees(`${rows("Restored")} > ${before}`, 600)
  })
}

/** Runs in the page: notes what keeps its main thread from answering. */
function watch() {
  const page = window as unknown as {
    watching: boolean
    watched: { longest: number; gap: number }
    showSaveFilePicker(options: { suggestedName: string }): Promise<FileSystemFileHandle>
  }
  page.watching = false
  page.watched = { longest: 0, gap: 0 }
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) note("longest", duration)
  }).observe({ type: "longtask" })
  let last = performance.now()
  setInterval(() => {
    const now = performance.now()
    note("gap", now - last)
    last = now
  }, 5)
  // Nobody is there to answer the dialog: what is restored goes to the browser's own disk.
  page.showSaveFilePicker = async ({ suggestedName }) => {
    const folder = await navigator.storage.getDirectory()
    return folder.getFileHandle(suggestedName, { create: true })
  }

  function note(what: "longest" | "gap", milliseconds: number) {
    if (!page.watching) return
    page.watched[what] = Math.max(page.watched[what], Math.round(milliseconds))
  }
}

/** The most memory that any process of the browser had, in MB. */
async function largestProcess(): Promise<number> {
  type Info = { processInfo: { id: number }[] }
  const { processInfo } = await browser.send<Info>("SystemInfo.getProcessInfo")
  let most = 0
  for (const { id } of processInfo) {
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "")
    const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
    most = Math.max(most, Math.round((kilobytes * 1024) / 1e6))
  }
  return most
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

function rate(times: number[]): number {
  return megabytes / Math.min(...times)
}

function print(what: string, rate: number, beside = "") {
  console.log(`  ${what.padEnd(36)}${rate.toFixed(0).padStart(6)} MB/s  ${beside}`)
}

/** Random bytes, which no compression makes fewer. */
async function bigFile(name: string): Promise<string> {
  const path = await stack.file(name, "")
  const file = await open(path, "w")
  const piece = new Uint8Array(1024 * 1024)
  for (let i = 0; i < mebibytes; i++) await file.write(randomFillSync(piece))
  await file.close()
  return path
}
