import { randomBytes } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { hashOf, hashOfFile, launch, Person, passphrase } from "./person"
import { Stack } from "./stack"

let browser: Browser
let stack: Stack

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

test("an account of the browser serves the command line too, both ways", async () => {
  const ada = await Person.arrives(browser, stack, "ada")
  await ada.registers()
  await ada.skipsRecoveryFile()
  const fromPage = randomBytes(5_000_000)
  await ada.backsUp(await stack.file("page.bin", fromPage))
  await ada.seesState("page.bin", "Verified")

  const coffer = (...args: string[]) => stack.coffer("laptop", passphrase, ...args)
  await coffer(
    "sign-in",
    `--gateway=${stack.gatewayURL}`,
    `--server=${stack.coreAddress}`,
    "--name=ada",
  )
  await coffer("restore", "page.bin", "--output", join(stack.folder, "restored.bin"))
  expect(await hashOfFile(join(stack.folder, "restored.bin"))).toBe(hashOf(fromPage))

  const fromCommand = randomBytes(7_000_000)
  await coffer("backup", "--archive", await stack.file("command.bin", fromCommand))
  await coffer("backup", "--no-seal", "--name=open.bin", join(stack.folder, "command.bin"))
  await mkdir(join(stack.folder, "letters"))
  await writeFile(join(stack.folder, "letters", "one.txt"), "dear Charles")
  await coffer("backup", "--archive", join(stack.folder, "letters"))

  await ada.opens("Files")
  await ada.page.reload()
  await ada.signsInIfAsked()
  expect(await ada.restores("command.bin")).toBe(hashOf(fromCommand))
  expect(await ada.restores("open.bin", false)).toBe(hashOf(fromCommand))
  // A folder comes as the archive that the command line made.
  await ada.opens("Files")
  const download = ada.page.waitForEvent("download")
  await ada.presses("Restore: letters")
  expect((await download).suggestedFilename()).toBe("letters.tar.zst")
  await ada.leaves()
})

test("an account of the command line opens in the browser once it has a passphrase", async () => {
  const coffer = (...args: string[]) => stack.coffer("tower", passphrase, ...args)
  await coffer("register", `--server=${stack.coreAddress}`, "--name=babbage")
  const content = randomBytes(1_000_000)
  await coffer("backup", "--archive", await stack.file("difference.bin", content))
  await coffer("passphrase")

  const babbage = await Person.arrives(browser, stack, "babbage")
  await babbage.signsIn()
  await babbage.sees("Dashboard")
  expect(await babbage.restores("difference.bin")).toBe(hashOf(content))
  await babbage.leaves()
})
