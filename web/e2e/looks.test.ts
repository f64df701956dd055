/** Every page, light, dark and on a phone: its picture goes to e2e/screenshots, and axe finds nothing serious in it. */
import { randomBytes } from "node:crypto"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { looks, Pictures } from "./looks"
import { launch, Person } from "./person"
import { Stack, until } from "./stack"

let browser: Browser
let stack: Stack

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

test.each(Object.keys(looks))("pages, %s", async (look) => {
  const options = { ...looks[look], reducedMotion: "reduce" as const }
  const person = await Person.arrives(browser, stack, `ada ${look}`, options)

  const pictures = await Pictures.of(person.page, look)
  const picture = (name: string) => pictures.take(name)

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

  expect(pictures.found).toEqual({})
  expect(person.errors).toEqual([])
  await person.leaves()
})
