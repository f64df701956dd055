/** Every page, light, dark and on a phone: its picture goes to e2e/screenshots, and axe finds nothing serious in it. */
import { randomBytes } from "node:crypto"
import { mkdir, readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { launch, Person } from "./person"
import { Stack, until } from "./stack"

const pictures = join(import.meta.dirname, "screenshots")
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

const looks: Record<string, BrowserContextOptions> = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 860 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 860 } },
  tablet: { colorScheme: "light", viewport: { width: 880, height: 1100 } },
  phone: {
    colorScheme: "light",
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
}

let browser: Browser
let stack: Stack
let axeSource: string

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
  await mkdir(pictures, { recursive: true })
  axeSource = await readFile(axe, "utf8")
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

/** What axe finds serious, and whether anything sticks out to the side. */
async function faults(page: Page): Promise<string[]> {
  // Evaluated rather than added as a script, which the page's policy forbids.
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    type Result = { violations: { id: string; impact: string; nodes: { html: string }[] }[] }
    const { axe } = window as unknown as { axe: { run: (where: Document) => Promise<Result> } }
    const { violations } = await axe.run(document)
    const found = violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("  ")}`)
    const beyond = document.documentElement.scrollWidth - window.innerWidth
    return beyond > 0 ? [...found, `the page is ${beyond} pixels too wide`] : found
  })
}

test.each(Object.keys(looks))("pages, %s", async (look) => {
  const options = { ...looks[look], reducedMotion: "reduce" as const }
  const found: Record<string, string[]> = {}
  const person = await Person.arrives(browser, stack, `ada ${look}`, options)

  async function picture(name: string) {
    await person.page.evaluate(() => document.fonts.ready)
    await until("animations to end", () =>
      person.page.evaluate(() => document.getAnimations().every((a) => a.playState !== "running")),
    )
    await person.page.screenshot({ path: join(pictures, `${name}-${look}.png`) })
    const wrong = await faults(person.page)
    if (wrong.length > 0) found[name] = wrong
  }

  await person.goes("/")
  await person.sees("Sign in")
  await picture("sign-in")
  await person.signsIn("not the passphrase")
  await person.page.getByRole("alert").waitFor()
  await picture("sign-in-wrong")
  await person.goes("/register")
  await person.page.getByLabel("Passphrase", { exact: true }).fill("glacier pewter")
  await person.page.getByText(/^(Very weak|Weak|Fair|Good|Strong)\.$/).waitFor()
  await picture("register")
  await person.registers()
  await picture("recovery-file")
  await person.skipsRecoveryFile()
  await picture("dashboard-empty")
  await person.opens("Files")
  await person.page.getByText("Nothing is backed up yet").waitFor()
  await picture("files-empty")
  await person.opens("Transfers")
  await picture("transfers-empty")

  const files = await Promise.all(
    [
      ["ledger-2026.xlsx", 88_201],
      ["a rather long name that somebody gave to the final version of the plan (2).docx", 43_000],
      ["report.pdf", 2_400_000],
      ["empty.txt", 0],
    ].map(([name, size]) => stack.file(`${name}`, randomBytes(Number(size)))),
  )
  await person.backsUp(...files)
  await person.seesState("report.pdf", "Verified")
  await person.seesState("empty.txt", "Verified")
  await person.seesState("ledger-2026.xlsx", "Verified")
  await person.seesState("the final version of the plan", "Verified")

  stack.relay.holdAfter(3)
  await person.backsUp(
    await stack.file("holiday.mov", randomBytes(30 * 1024 * 1024)),
    await stack.file("lecture.mp4", randomBytes(12 * 1024 * 1024)),
  )
  await until("packets to be held", () => stack.relay.held > 0)
  await picture("transfers")
  await person.opens("Dashboard")
  await person.page.getByRole("link", { name: /ledger-2026/ }).waitFor()
  await picture("dashboard")
  stack.relay.release()
  await person.opens("Transfers")
  await person.seesState("holiday.mov", "Verified")
  await person.seesState("lecture.mp4", "Verified")
  await person.restores("report.pdf")
  await picture("transfers-done")

  await person.opens("Files")
  await person.page.getByRole("button", { name: "Restore: report.pdf" }).waitFor()
  await picture("files")
  await person.page.getByRole("button", { name: /^report\.pdf/ }).click()
  await person.page.getByRole("heading", { name: "Versions" }).waitFor()
  await picture("file-details")
  await person.presses("Close the details")
  await person.presses("Delete: report.pdf")
  await person.page.getByRole("dialog", { name: "Delete this file?" }).waitFor()
  await picture("delete-file")
  await person.presses("Keep it")
  await person.opens("Settings")
  await picture("settings")
  await person.presses("Change")
  await person.page.getByLabel("Current passphrase").waitFor()
  await picture("change-passphrase")
  await person.presses("Cancel")
  await person.presses("Delete account")
  await person.page.getByLabel(/to confirm/).waitFor()
  await picture("delete-account")
  await person.goes("/nowhere")
  await person.signsInIfAsked()
  await person.page.getByText("This address leads nowhere").waitFor()
  await picture("nowhere")

  expect(found).toEqual({})
  expect(person.errors).toEqual([])
  await person.leaves()
})
