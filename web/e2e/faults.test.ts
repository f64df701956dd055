import { randomBytes } from "node:crypto"
import type { Browser } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { hashOfFile, launch, Person, passphrase } from "./person"
import { Stack, until } from "./stack"

const MiB = 1024 * 1024

let browser: Browser
let stack: Stack
let person: Person
let people = 0

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

afterEach(async () => {
  stack.relay.release()
  stack.relay.tamperWith(undefined)
  await stack.startCoreIfStopped()
  await person?.leaves()
})

/** Somebody with an account of their own, on the dashboard. */
async function somebody(): Promise<Person> {
  people++
  person = await Person.arrives(browser, stack, `person ${people}`)
  await person.registers()
  await person.skipsRecoveryFile()
  return person
}

/** Begins to back up a file of many packets and holds it in the middle. */
async function halfway(name: string): Promise<{ path: string; hash: string }> {
  const path = await stack.file(name, randomBytes(40 * MiB))
  stack.relay.holdAfter(3)
  await person.backsUp(path)
  await until("packets to be held", () => stack.relay.held > 0)
  return { path, hash: await hashOfFile(path) }
}

describe("in the middle of an upload", () => {
  test("the core is killed and comes back", async () => {
    await somebody()
    const { hash } = await halfway("killed.bin")
    await stack.killCore()
    stack.relay.release()
    await person.page.getByText("Server not reached").first().waitFor({ timeout: 90_000 })
    await stack.startCore()
    await person.seesState("killed.bin", "Verified", 180)
    expect(await person.restores("killed.bin")).toBe(hash)
  })

  test("the browser is offline for a while", async () => {
    await somebody()
    const { hash } = await halfway("offline.bin")
    await person.context.setOffline(true)
    stack.relay.release()
    await until("the page to notice", () => person.page.evaluate(() => !navigator.onLine))
    await person.context.setOffline(false)
    await person.seesState("offline.bin", "Verified", 180)
    expect(await person.restores("offline.bin")).toBe(hash)
  })

  test("the page is reloaded, and goes on when the same file is chosen again", async () => {
    await somebody()
    const { path, hash } = await halfway("reloaded.bin")
    await person.page.reload()
    await comesBack()
    stack.relay.release()
    const before = stack.relay.packets
    await person.opens("Transfers")
    await person.sees("Waiting for files")
    await person.page.getByLabel("The file reloaded.bin", { exact: true }).setInputFiles(path)
    await person.seesState("reloaded.bin", "Verified", 180)
    // Ten packets and the seal's few bytes make eleven at most; those that had arrived are not sent again.
    expect(stack.relay.packets - before).toBeLessThan(11)
    expect(await person.restores("reloaded.bin")).toBe(hash)
  })

  test("another file is offered in place of the one that was interrupted", async () => {
    await somebody()
    await halfway("changed.bin")
    await person.page.reload()
    await comesBack()
    stack.relay.release()
    await person.opens("Transfers")
    await person.sees("Waiting for files")
    const other = await stack.file("changed.bin", randomBytes(40 * MiB))
    await person.page.getByLabel("The file changed.bin", { exact: true }).setInputFiles(other)
    await person.seesState("changed.bin", "Verified", 180)
    expect(await person.restores("changed.bin")).toBe(await hashOfFile(other))
  })

  test("a second tab does not send the same file", async () => {
    await somebody()
    const { hash } = await halfway("tabs.bin")
    const other = await person.secondTab()
    await other.signsInIfAsked()
    await other.opens("Transfers")
    // The other tab may show the transfer; it must not begin to send it.
    const held = stack.relay.held
    const path = await stack.file("own.txt", "of the second tab")
    stack.relay.release()
    await other.backsUp(path)
    await other.seesState("own.txt", "Verified")
    await person.seesState("tabs.bin", "Verified", 180)
    expect(held).toBeLessThanOrEqual(8)
    await person.opens("Files")
    await person.page
      .getByRole("row", { name: /tabs\.bin/ })
      .getByText("1", { exact: true })
      .waitFor()
    expect(await person.restores("tabs.bin")).toBe(hash)
  })
})

/** After a reload the page may want the passphrase again. */
async function comesBack() {
  await person.signsInIfAsked()
  await person.sees("Transfers")
}

describe("secrets", () => {
  test("a wrong passphrase is refused, and the page says what to do", async () => {
    await somebody()
    const elsewhere = await Person.arrives(browser, stack, person.name)
    await elsewhere.signsIn("glacier pewter mongoose kettle")
    await elsewhere.page.getByRole("alert").waitFor()
    expect(await elsewhere.page.getByRole("alert").textContent()).toMatch(/try again/i)
    await elsewhere.leaves()
  })

  test("ciphertext that was changed is not handed out", async () => {
    await somebody()
    await person.backsUp(await stack.file("tampered.bin", randomBytes(3 * MiB)))
    await person.seesState("tampered.bin", "Verified")
    stack.relay.tamperWith((path, body) => {
      if (!path.includes("/content") || body.length === 0) return undefined
      const changed = Buffer.from(body)
      changed[1_000_000] = (changed[1_000_000] ?? 0) ^ 1
      return changed
    })
    let downloads = 0
    person.page.on("download", () => downloads++)
    await person.opens("Files")
    await person.presses("Restore: tampered.bin")
    await person.opens("Transfers")
    await person.seesState("tampered.bin", "Failed")
    await person.seesProblem(/changed|not what was backed up/)
    expect(downloads).toBe(0)
  })

  test("a key bundle that was changed is not opened", async () => {
    await somebody()
    stack.relay.tamperWith((path, body) => {
      if (!path.endsWith("/keys/bundle") || body.length === 0) return undefined
      const changed = Buffer.from(body)
      const last = changed.length - 20
      changed[last] = (changed[last] ?? 0) ^ 1
      return changed
    })
    const elsewhere = await Person.arrives(browser, stack, person.name)
    await elsewhere.signsIn()
    await elsewhere.page.getByRole("alert").waitFor()
    expect(await elsewhere.page.getByRole("alert").textContent()).toMatch(/changed|damaged/)
    await elsewhere.leaves()
  })

  test("the passphrase is changed, and the old one is refused from then on", async () => {
    await somebody()
    const next = "walnut harbour trombone lichen"
    await person.opens("Settings")
    await person.presses("Change")
    await person.page.getByLabel("Current passphrase").fill(passphrase)
    await person.page.getByLabel("New passphrase").fill(next)
    await person.page.getByLabel("Repeat the passphrase").fill(next)
    await person.presses("Change passphrase")
    await person.page.getByText("The passphrase is changed").waitFor()
    await person.backsUp(await stack.file("after.txt", "still signed in"))
    await person.seesState("after.txt", "Verified")

    const elsewhere = await Person.arrives(browser, stack, person.name)
    await elsewhere.signsIn(passphrase)
    await elsewhere.page.getByRole("alert").waitFor()
    await elsewhere.signsIn(next)
    await elsewhere.sees("Dashboard")
    await elsewhere.leaves()
  })

  test("an account that is deleted is gone", async () => {
    await somebody()
    await person.opens("Settings")
    await person.presses("Delete account")
    const dialog = person.page.getByRole("dialog")
    await dialog.getByLabel(/to confirm/).fill(person.name)
    await dialog.getByLabel("Passphrase", { exact: true }).fill(passphrase)
    await dialog.getByRole("button", { name: "Delete for good" }).click()
    await person.sees("Sign in")
    await person.signsIn()
    await person.page.getByRole("alert").waitFor()
  })
})

describe("with sessions that end soon", () => {
  let short: Stack

  beforeAll(async () => {
    short = await Stack.start({ tokenTTL: "30s" })
  })

  afterAll(async () => short?.stop())

  test("the passphrase is asked again, and the queue goes on", async () => {
    person = await Person.arrives(browser, short, "brief")
    await person.registers()
    await person.skipsRecoveryFile()
    const path = await short.file("long.bin", randomBytes(24 * MiB))
    short.relay.holdAfter(2)
    await person.backsUp(path)
    await until("packets to be held", () => short.relay.held > 0)
    const dialog = person.page.getByRole("dialog", { name: "Please sign in again" })
    // The page asks the server for its state all the while, or knows when the token ends; either
    // way it asks by itself. What is held goes on only after that.
    await dialog.waitFor({ timeout: 120_000 })
    short.relay.release()
    await dialog.getByLabel("Passphrase of brief").fill(passphrase)
    await dialog.getByRole("button", { name: "Continue" }).click()
    await person.seesState("long.bin", "Verified", 120)
  })
})
