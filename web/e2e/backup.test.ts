import { randomBytes } from "node:crypto"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { brotliCompressSync, deflateRawSync } from "node:zlib"
import { Decrypter } from "age-encryption"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hashOf, hashOfFile, launch, Person, passphrase } from "./person"
import { Stack } from "./stack"

const MiB = 1024 * 1024

let browser: Browser
let stack: Stack

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([launch(), Stack.start()])
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

describe("a person who has never been here", () => {
  test("backs up three files, and gets them back in another browser", async () => {
    const files = {
      "empty.txt": await stack.file("empty.txt", ""),
      "one byte": await stack.file("one byte", "!"),
      "film.bin": await stack.file("film.bin", randomBytes(200 * MiB)),
    }
    const ada = await Person.arrives(browser, stack, "ada")
    await ada.registers()

    const download = ada.page.waitForEvent("download")
    await ada.presses("Save coffer-ada.age")
    const recovery = await readFile(await (await download).path(), "utf8")
    expect(recovery.startsWith("age-encryption.org/v1\n")).toBe(true)
    await ada.presses("Continue")
    await ada.sees("Dashboard")

    await ada.backsUp(...Object.values(files))
    for (const name of Object.keys(files)) await ada.seesState(name, "Verified", 180)
    await ada.opens("Dashboard")
    await ada.page.getByRole("link", { name: /film\.bin/ }).waitFor()
    expect(ada.errors).toEqual([])
    await ada.leaves()

    const elsewhere = await Person.arrives(browser, stack, "ada")
    await elsewhere.signsIn()
    await elsewhere.sees("Dashboard")
    for (const [name, path] of Object.entries(files)) {
      expect(await elsewhere.restores(name), name).toBe(await hashOfFile(path))
    }
    expect(elsewhere.errors).toEqual([])
    await elsewhere.leaves()
  })

  test("drops a folder anywhere on the page", async () => {
    const bob = await Person.arrives(browser, stack, "bob")
    await bob.registers()
    await bob.skipsRecoveryFile()
    // A drop as the browser makes it; the folder is told from its files by their names.
    const data = await bob.page.evaluateHandle(() => {
      const data = new DataTransfer()
      data.items.add(new File(["first"], "a.txt"))
      data.items.add(new File(["second"], "b.txt"))
      return data
    })
    for (const type of ["dragenter", "dragover", "drop"]) {
      await bob.page.dispatchEvent("body", type, { dataTransfer: data })
    }
    await bob.sees("Transfers")
    await bob.seesState("a.txt", "Verified")
    await bob.seesState("b.txt", "Verified")

    await bob.page
      .getByLabel("Folder to back up")
      .setInputFiles(await folder("photos", { "2026/sea.jpg": "blue", "mountain.jpg": "grey" }))
    await bob.seesState("sea.jpg", "Verified")
    await bob.seesState("mountain.jpg", "Verified")
    expect(await bob.restores("photos/2026/sea.jpg")).toBe(hashOf("blue"))
    expect(bob.errors).toEqual([])
    await bob.leaves()
  })

  test("makes versions, restores an older one, and deletes", async () => {
    const eve = await Person.arrives(browser, stack, "eve")
    await eve.registers()
    await eve.skipsRecoveryFile()
    await eve.backsUp(await stack.file("plan.txt", "first plan"))
    await eve.seesState("plan.txt", "Verified")
    await eve.presses("Clear")
    await eve.backsUp(await stack.file("plan.txt", "second plan"))
    await eve.seesState("plan.txt", "Verified")

    await eve.opens("Files")
    await eve.page.getByRole("button", { name: /^plan\.txt/ }).click()
    const download = eve.page.waitForEvent("download")
    await eve.presses("Restore this version: version 1")
    expect(await readFile(await (await download).path(), "utf8")).toBe("first plan")

    await eve.presses("Close the details")
    await eve.presses("Delete: plan.txt")
    await eve.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await eve.page.getByText("Nothing is backed up yet").waitFor()
    expect(eve.errors).toEqual([])
    await eve.leaves()
  })
})

test("what goes over the network betrays nothing", async () => {
  const marker = "the plans of the analytical engine, page after page; "
  const content = marker.repeat(60_000)
  stack.relay.record()

  const eve = await Person.arrives(browser, stack, "lovelace")
  await eve.registers()
  const download = eve.page.waitForEvent("download")
  await eve.presses("Save coffer-lovelace.age")
  const recovery = await readFile(await (await download).path())
  await eve.presses("Continue")
  await eve.sees("Dashboard")
  await eve.backsUp(await stack.file("engine.txt", content))
  await eve.seesState("engine.txt", "Verified")
  expect(await eve.restores("engine.txt")).toBe(hashOf(content))
  await eve.leaves()

  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  const profile = JSON.parse(await decrypter.decrypt(recovery, "text"))
  const traffic = stack.relay.recording()
  // The recording is of this session: what the server may see is in it.
  expect(traffic.includes("lovelace")).toBe(true)
  expect(traffic.includes("engine.txt")).toBe(true)

  const rsaKey = Buffer.from(profile.rsa_key, "base64")
  const secrets: Record<string, Buffer | string> = {
    passphrase,
    "a word of the marker": "analytical engine",
    "the RSA key in base64": profile.rsa_key.slice(0, 400),
    "the end of the RSA key in base64": profile.rsa_key.slice(-200),
    "the RSA key": rsaKey.subarray(-200),
    "the age identity": profile.identity,
    "the secret of the age identity": profile.identity.slice(-40),
    // The content squeezed: what comes after headers, from the middle.
    "the deflated marker": middle(deflateRawSync(content)),
    "the marker in brotli": middle(brotliCompressSync(content)),
  }
  for (const [name, secret] of Object.entries(secrets)) {
    const bytes = Buffer.from(secret)
    for (const [form, needle] of Object.entries({
      plain: bytes,
      hex: Buffer.from(bytes.toString("hex")),
      base64: Buffer.from(bytes.toString("base64").replace(/.{0,3}=*$/, "")),
      escaped: Buffer.from(encodeURIComponent(bytes.toString("latin1"))),
    })) {
      expect(traffic.includes(needle), `${name}, ${form}, went over the network`).toBe(false)
    }
  }
})

function middle(bytes: Buffer): Buffer {
  const from = Math.max(0, Math.floor(bytes.length / 2) - 8)
  return bytes.subarray(from, from + 16)
}

/** Writes a folder for a test to back up. */
async function folder(name: string, files: Record<string, string>): Promise<string> {
  const root = join(stack.folder, name)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}
