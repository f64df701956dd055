/**
 * How fast the browser backs up and restores, beside the command line with the
 * same file in the same run, and how fast the parts are of which that is made.
 * It prints and judges nothing: figures depend on the machine. Its binaries have
 * to hold the client as it was built last: `make build`.
 *
 *   BENCH_MIB   size of the file, 512 by default
 *   BENCH_RUNS  runs of each, of which the best counts, 3 by default
 */
import { randomFillSync } from "node:crypto"
import { open, readFile } from "node:fs/promises"
import { resolve } from "node:path"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, test } from "vitest"
import { launch, Person, passphrase } from "../e2e/person"
import { Stack } from "../e2e/stack"

const mebibytes = Number(process.env.BENCH_MIB ?? 512)
const runs = Number(process.env.BENCH_RUNS ?? 3)
const megabytes = (mebibytes * 1024 * 1024) / 1e6

let browser: Browser
let stack: Stack
let path: string

beforeAll(async () => {
  browser = await launch()
  stack = await Stack.start({ direct: true })
  path = await bigFile("file.bin")
})

afterAll(async () => {
  await stack?.stop()
  await browser?.close()
})

test("parts", async () => {
  const { createServer } = await import("vite")
  const server = await createServer({
    root: resolve(import.meta.dirname, ".."),
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, proxy: {} },
  })
  await server.listen()
  try {
    const page = await browser.newPage()
    await page.goto(`${server.resolvedUrls?.local[0]}bench/page.html`)
    const figures = await page.evaluate(measureParts, "/bench/parts.ts")
    for (const [what, rate] of Object.entries(figures)) print(what, rate)
    await page.close()
  } finally {
    await server.close()
  }
})

async function measureParts(module: string): Promise<Record<string, number>> {
  const { measure } = (await import(/* @vite-ignore */ module)) as typeof import("./parts")
  return measure()
}

test("whole", async () => {
  await stack.coffer("desk", passphrase, "register", "--name=desk", `--server=${stack.coreAddress}`)
  const person = await Person.arrives(browser, stack, "browser")
  await person.context.addInitScript(watchMainThread)
  await person.registers()
  await person.skipsRecoveryFile()

  for (const sealed of [true, false]) {
    const kind = sealed ? "sealed" : "not sealed"
    if (!sealed) await sealsNoMore(person)
    const commandLine: number[] = []
    const web: number[] = []
    // In turns, so that what else the machine does hurts both.
    for (let run = 0; run < runs; run++) {
      const flags = sealed ? [] : ["--no-seal"]
      commandLine.push(
        await seconds(() =>
          stack.coffer("desk", passphrase, "backup", `--name=${kind} ${run}`, ...flags, path),
        ),
      )
      web.push(await backsUp(person))
    }
    const rates = { commandLine: rate(commandLine), web: rate(web) }
    print(`coffer backup, ${kind}`, rates.commandLine)
    print(`browser, ${kind}`, rates.web, `${(rates.web / rates.commandLine).toFixed(2)} of it`)
    await person.opens("Files")
    print(`browser, restore, ${kind}`, megabytes / (await restores(person)))
  }
  const { longest, gap } = await person.page.evaluate(() => mainThread())
  console.log(`  main thread: longest task ${longest ? `${longest} ms` : "under 50 ms"}`)
  console.log(`  main thread: longest gap of a timer ${gap} ms`)
  console.log(`  browser's largest process: ${await largestProcess()} MB at most`)
})

/** Backs the file up and returns in how many seconds it was verified. */
async function backsUp(person: Person): Promise<number> {
  await person.opens("Transfers")
  const took = await seconds(async () => {
    await person.page.getByLabel("Files to back up").setInputFiles([path])
    await person.seesState("file.bin", "Verified", 600)
  })
  await person.presses(/Clear/)
  return took
}

async function restores(person: Person): Promise<number> {
  await person.presses("Restore: file.bin")
  return seconds(async () => {
    await person.opens("Transfers")
    await person.seesState("file.bin", "Restored", 600)
  })
}

async function sealsNoMore(person: Person) {
  await person.opens("Settings")
  await person.page.getByRole("switch", { name: /Seal/ }).click({ force: true })
}

declare function mainThread(): { longest: number; gap: number }

/** Runs in the page: notes what keeps its main thread from answering. */
function watchMainThread() {
  let longest = 0
  let gap = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
  }).observe({ type: "longtask" })
  let last = performance.now()
  setInterval(() => {
    const now = performance.now()
    gap = Math.max(gap, now - last)
    last = now
  }, 5)
  Object.assign(window, {
    mainThread: () => ({ longest: Math.round(longest), gap: Math.round(gap) }),
  })
}

/** The most memory that any process of the browser had, in MB. */
async function largestProcess(): Promise<number> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send("SystemInfo.getProcessInfo")
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
