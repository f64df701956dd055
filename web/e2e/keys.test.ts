import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { derivePassword } from "../client/crypto/derive"
import { newProfile, sealBundle } from "../client/crypto/keys"
import { hashOf, launch, Person, passphrase } from "./person"
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

/** An account that has a password and no keys at the server; returns its client id. */
async function accountWithoutKeys(username: string): Promise<string> {
  const password = await derivePassword("localhost", username, passphrase)
  const answer = await fetch(`${stack.gatewayURL}/api/v1/auth/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password, client_type: "web_client" }),
  })
  expect(answer.status).toBe(201)
  const { client_id } = (await answer.json()) as { client_id: string }
  return client_id
}

test("an account whose keys the server lost is opened with the recovery file", async () => {
  const clientID = await accountWithoutKeys("ada")
  // The file was saved under an earlier passphrase.
  const earlier = "orchard velvet compass thimble"
  const file = join(stack.folder, "coffer-ada.age")
  await writeFile(file, await sealBundle(await newProfile("ada", clientID), earlier, 12))

  const ada = await Person.arrives(browser, stack, "ada")
  await ada.signsIn()
  await ada.sees("Your keys are not here yet")
  await ada.page.locator("input[type=file]").setInputFiles(file)
  await ada.page.getByLabel("Passphrase of the file").fill(passphrase)
  await ada.presses("Open the file")
  await ada.seesProblem(/not the passphrase/)
  await ada.page.getByLabel("Passphrase of the file").fill(earlier)
  await ada.presses("Open the file")
  await ada.sees("Dashboard")
  await ada.backsUp(await stack.file("found.txt", "found again"))
  await ada.seesState("found.txt", "Verified")
  await ada.leaves()

  // The keys are at the server again, locked with the passphrase of the account.
  const elsewhere = await Person.arrives(browser, stack, "ada")
  await elsewhere.signsIn()
  await elsewhere.sees("Dashboard")
  expect(await elsewhere.restores("found.txt")).toBe(hashOf("found again"))
  await elsewhere.leaves()
})

test("the recovery file of somebody else is refused, and new keys are made on request", async () => {
  await accountWithoutKeys("bob")
  const file = join(stack.folder, "coffer-eve.age")
  await writeFile(file, await sealBundle(await newProfile("eve", "0".repeat(32)), passphrase, 12))

  const bob = await Person.arrives(browser, stack, "bob")
  await bob.signsIn()
  await bob.sees("Your keys are not here yet")
  await bob.page.locator("input[type=file]").setInputFiles(file)
  await bob.page.getByLabel("Passphrase of the file").fill(passphrase)
  await bob.presses("Open the file")
  await bob.seesProblem(/keys of another account/)

  await bob.page.getByText("New keys", { exact: true }).click()
  await bob.page.getByLabel("Your passphrase").fill(passphrase)
  await bob.presses("Make new keys")
  await bob.sees("Dashboard")
  await bob.backsUp(await stack.file("new.txt", "under new keys"))
  await bob.seesState("new.txt", "Verified")
  expect(bob.errors).toEqual([])
  await bob.leaves()
})
