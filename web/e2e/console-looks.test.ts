/** Every page of the console, light, dark and on a phone, with something on it: its picture goes to e2e/screenshots, and axe finds nothing serious in it. */
import { randomBytes } from "node:crypto"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { looks, Pictures } from "./looks"
import { Blob, CommandLine, type SlowBackup, sendsNonsense } from "./operating"
import { Operator } from "./operator"
import { launch, Person } from "./person"
import { Stack, until } from "./stack"

const kB = 1_000
const MB = 1_000_000

let browser: Browser
let stack: Stack
let person: Person
let slow: SlowBackup

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
})

afterAll(async () => {
  await slow?.isKilled()
  await browser?.close()
  await stack?.stop()
})

test("pages of a core that nobody has used yet", async () => {
  const look = "light"
  const operator = await Operator.arrives(browser, stack, {
    ...looks[look],
    reducedMotion: "reduce",
  })
  const pictures = await Pictures.of(operator.page, look)
  await operator.goes("/")
  await operator.page.getByLabel("Token", { exact: true }).fill("not the token")
  await operator.presses("Sign in")
  await operator.page.getByRole("alert").waitFor()
  await pictures.take("console-sign-in-wrong")
  await operator.followsLink()
  for (const place of ["Clients", "Transfers", "Storage", "Doctor"] as const) {
    await operator.opens(place)
    await operator.page.waitForLoadState("networkidle").catch(() => {})
    await pictures.take(`console-${place.toLowerCase()}-empty`)
  }
  expect(pictures.found).toEqual({})
  expect(operator.errors).toEqual([])
  await operator.leaves()
})

test("there is much to show", async () => {
  // First, so that what it leaves behind is not the newest on the dashboard.
  await stack.strangerTries()
  const names = [
    "ada",
    "grace.hopper@example.org",
    "studio nas",
    "tower-of-a-rather-long-name-2026",
  ]
  const clients = await Promise.all(names.map((name) => CommandLine.registers(stack, name)))
  const [ada, grace, nas, tower] = clients as [CommandLine, CommandLine, CommandLine, CommandLine]
  await ada.backsUp("photos/2026/summer/sea.raw", randomBytes(12 * MB))
  await ada.backsUp(
    "photos/2026/summer/a long name that somebody gave to it.raw",
    randomBytes(4 * MB),
  )
  await ada.backsUp("plan.txt", "first plan")
  await ada.backsUp("plan.txt", "second plan")
  await ada.restores("plan.txt")
  await grace.backsUp("compiler.tar", randomBytes(31 * MB))
  await grace.backsUp("flow-matic.txt", randomBytes(300 * kB))
  await nas.backsUp("film.mov", randomBytes(80 * MB))
  await tower.backsUp("ledger.xlsx", randomBytes(88 * kB))
  await sendsNonsense(stack)
  await (await Blob.of(stack, "ledger.xlsx")).isLost()
  await (await Blob.of(stack, "flow-matic.txt")).flipsABit()
  const check = await stack.asks("/api/scrub", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  })
  expect(check.status).toBe(202)
  await stack.asks("/api/clients/studio%20nas/suspend", {
    method: "POST",
    headers: { "X-Coffer-Console": "1" },
  })
  await stack.asks("/api/backups", { method: "POST", headers: { "X-Coffer-Console": "1" } })
  await stack.asks("/api/settings", {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ set: { "session-ttl": "30m" } }),
  })
  await until("the check to end", async () => {
    const { report } = await (await stack.asks("/api/scrub")).json()
    return report !== undefined
  })

  // Two backups stay under way: one whose end nobody knows yet, one that is held.
  slow = ada.begins("camera/stream.mkv")
  slow.write(randomBytes(20 * MB))
  person = await Person.arrives(browser, stack, "lovelace")
  await person.registers()
  await person.skipsRecoveryFile()
  stack.relay.holdAfter(3)
  await person.backsUp(await stack.file("lecture.mp4", randomBytes(30 * MB)))
  await until("packets to be held", () => stack.relay.held > 0)
})

test.each(Object.keys(looks))("pages, %s", async (look) => {
  const operator = await Operator.arrives(browser, stack, {
    ...looks[look],
    reducedMotion: "reduce",
  })
  const pictures = await Pictures.of(operator.page, look)
  const take = (name: string) => pictures.take(`console-${name}`, { fullPage: true })

  await operator.goes("/")
  await operator.page.getByLabel("Token", { exact: true }).waitFor()
  await take("sign-in")
  await operator.followsLink()
  await operator.page.getByRole("img", { name: /^Throughput/ }).waitFor()
  await operator.reads("Upload verified")
  await operator.reads(/^max\. /)
  expect(await cutAtTheRight(operator), "charts whose last label is cut off").toBe(0)
  await take("dashboard")
  await operator.opens("Clients")
  await operator.reads("studio nas")
  await take("clients")
  await operator.opensClient("ada")
  await operator.row("sea.raw").waitFor()
  await take("client")
  await operator.presses("Remove")
  await operator.page.getByRole("dialog").waitFor()
  await pictures.take("console-remove-client")
  await operator.presses("Keep it")
  await operator.opens("Transfers")
  await operator.row("lecture.mp4").waitFor()
  await operator.row("stream.mkv").waitFor()
  await take("transfers")
  await operator.opens("Storage")
  await operator.reads("Damaged")
  await take("storage")
  const others = operator.page.getByLabel("Share of the disk that others take")
  const paint = await others.evaluate((bar) => getComputedStyle(bar).backgroundColor)
  expect(paint).not.toBe("rgba(0, 0, 0, 0)")
  await operator.opens("Activity")
  await operator.row("plan.txt").waitFor()
  await take("activity")
  await operator.opens("Logs")
  // Axe looks at the contrast of what is there.
  const records = operator.page.getByRole("list", { name: "Log records" })
  await records.getByText("Warning", { exact: true }).first().waitFor()
  await pictures.take("console-logs")
  await operator.opens("Doctor")
  await operator.page.getByRole("button", { name: /1028/ }).click()
  await operator.page.getByRole("row").first().waitFor()
  await take("doctor")
  await operator.opens("Settings")
  await operator.reads("Changed here")
  await operator.reads(/\.db/)
  await take("settings")
  await operator.goes("/nowhere")
  await operator.reads("This address leads nowhere")
  await pictures.take("console-nowhere")

  expect(pictures.found).toEqual({})
  expect(operator.errors).toEqual([])
  await operator.leaves()
})

test("the pages of a core that is away", async () => {
  const look = "light"
  const operator = await Operator.arrives(browser, stack, {
    ...looks[look],
    reducedMotion: "reduce",
  })
  const pictures = await Pictures.of(operator.page, look)
  await operator.followsLink()
  await operator.reads("Server runs")
  await stack.killCore()
  await operator.reads(/may have changed since/)
  expect(await operator.page.getByText("Server runs").count()).toBe(0)
  await pictures.take("console-away")
  expect(operator.errors).toEqual([])
  await operator.leaves()
})

/** How many charts have something painted up to their right edge, where the time below goes on. */
function cutAtTheRight(operator: Operator): Promise<number> {
  return operator.page.evaluate(() => {
    const charts = Array.from(document.querySelectorAll("canvas"))
    if (charts.length === 0) throw new Error("there is no chart")
    return charts.filter((chart) => {
      const { width, height } = chart
      const pen = chart.getContext("2d")
      const labels = Math.round(26 * devicePixelRatio)
      return pen?.getImageData(width - 1, height - labels, 1, labels).data.some((byte) => byte > 0)
    }).length
  })
}
