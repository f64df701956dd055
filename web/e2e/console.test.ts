/** The operator's console at a real core, while real clients are at work. */
import { randomBytes } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { Activity, ClientOfServer, Stats } from "../console/api/client"
import { formatBytes, formatNumber } from "../shared/format"
import { Blob, CommandLine, sendsNonsense } from "./operating"
import { Operator, type Place } from "./operator"
import { launch, Person } from "./person"
import { Stack, until } from "./stack"

const kB = 1_000
const MB = 1_000_000

let browser: Browser
let stack: Stack
let operator: Operator

// A test that fails with a stopped core must not fail those after it.
afterEach(() => stack.startCoreIfStopped())

beforeAll(async () => {
  ;[browser, stack] = await Promise.all([
    launch("--host-resolver-rules=MAP coffer.example 127.0.0.1"),
    Stack.start(),
  ])
})

afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

beforeEach(async () => {
  operator = await Operator.arrives(browser, stack)
})

afterEach(async () => {
  await operator.leaves()
})

async function stats(): Promise<Stats> {
  return (await stack.asks("/api/stats")).json()
}

async function client(name: string): Promise<ClientOfServer> {
  return (await stack.asks(`/api/clients/${encodeURIComponent(name)}`)).json()
}

describe("access", () => {
  test("the link signs in, and the token stays neither in the address nor in the history", async () => {
    await operator.followsLink()
    expect(operator.page.url()).toBe(`${stack.consoleURL}/`)
    await operator.opens("Clients")
    await operator.page.goBack()
    await operator.sees("Dashboard")
    expect(operator.page.url()).not.toContain("token")
    // The cookie is out of reach of any script.
    expect(await operator.page.evaluate(() => document.cookie)).toBe("")
    const [cookie] = await operator.context.cookies()
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" })
    expect(cookie?.value).not.toContain(await stack.consoleToken())
    expect(operator.errors).toEqual([])
  })

  test("a wrong token is refused, and the page says where the right one is", async () => {
    await operator.goes("/clients")
    await operator.page.getByLabel("Token", { exact: true }).fill("00".repeat(32))
    await operator.presses("Sign in")
    await operator.reads(/token is wrong/)
    await operator.page.getByLabel("Token", { exact: true }).fill(await stack.consoleToken())
    await operator.presses("Sign in")
    await operator.sees("Clients")

    const other = await Operator.arrives(browser, stack)
    await other.goes(`/?token=${"00".repeat(32)}`)
    await other.reads("The token is wrong")
    await other.leaves()
  })

  test("signing out ends the session on the server too", async () => {
    await operator.followsLink()
    const before = await operator.context.cookies()
    await operator.presses("Sign out")
    await operator.page.getByLabel("Token", { exact: true }).waitFor()
    const cookie = before.map(({ name, value }) => `${name}=${value}`).join("; ")
    const answer = await fetch(`${stack.consoleURL}/api/stats`, { headers: { cookie } })
    expect(answer.status).toBe(401)
  })

  test("under a foreign name there is only a page that says so", async () => {
    const { port } = new URL(stack.consoleURL)
    const answer = await operator.page.goto(
      `http://coffer.example:${port}/?token=${await stack.consoleToken()}`,
    )
    expect(answer?.status()).toBe(421)
    expect(await operator.context.cookies()).toEqual([])
    await operator.reads("This is not a name of the console")
    expect(await operator.page.getByLabel("Token", { exact: true }).count()).toBe(0)
  })

  test("another site that a signed-in operator visits can do nothing", async () => {
    await CommandLine.registers(stack, "target")
    await operator.followsLink()
    const site = createServer((_request, response) => {
      response.setHeader("Content-Type", "text/html")
      response.end("<!doctype html><title>Another site</title>")
    }).listen(0, "127.0.0.1")
    await until("the other site", () => site.listening)
    try {
      // Of the same machine, so that the cookie is of the same site, and yet of another origin.
      await operator.page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
      const attempts = await operator.page.evaluate(async (url) => {
        const tries: [string, RequestInit][] = [
          ["/api/clients/target/suspend", { method: "POST", mode: "no-cors" }],
          ["/api/clients/target/suspend", { method: "POST", headers: { "X-Coffer-Console": "1" } }],
          [
            "/api/settings",
            { method: "POST", mode: "no-cors", body: '{"set":{"registration":"closed"}}' },
          ],
          ["/api/clients/target?confirm=target", { method: "DELETE" }],
          ["/api/stats", {}],
        ]
        return Promise.all(
          tries.map(async ([path, init]) => {
            try {
              const answer = await fetch(url + path, { ...init, credentials: "include" })
              return answer.type === "opaque" ? "" : await answer.text()
            } catch {
              return ""
            }
          }),
        )
      }, stack.consoleURL)
      expect(attempts).toEqual(["", "", "", "", ""])
      // A form needs no script, and no permission to be sent.
      await operator.page.evaluate((url) => {
        const form = document.createElement("form")
        form.method = "POST"
        form.action = `${url}/api/clients/target/suspend`
        document.body.append(form)
        form.submit()
      }, stack.consoleURL)
      await operator.page.waitForURL(/suspend/)
    } finally {
      site.close()
      site.closeAllConnections()
    }
    expect(await client("target")).toMatchObject({ name: "target", suspended: false })
  })
})

describe("figures", () => {
  test("are those of the core, while clients come and go", async () => {
    await operator.followsLink()
    const ada = await CommandLine.registers(stack, "ada")
    await ada.backsUp("photos/sea.raw", randomBytes(3 * MB))
    await ada.backsUp("photos/sea.raw", randomBytes(2 * MB))
    await ada.backsUp("plan.txt", "the first plan")
    await ada.restores("plan.txt")

    await until("the page to show what the core says", async () => {
      const now = await stats()
      const shown = Object.fromEntries(
        await Promise.all(
          ["Registered clients", "Files", "Stored", "Received", "Requests", "Verified"].map(
            async (label) => [label, (await operator.figure(label)).join(" ")],
          ),
        ),
      )
      const number = (n: number) => formatNumber(n, "en-GB")
      const bytes = (n: number) => formatBytes(n, "en-GB")
      return (
        now.versions === 3 &&
        shown["Registered clients"].startsWith(number(now.clients)) &&
        shown.Files.startsWith(number(now.files)) &&
        shown.Files.includes(`in ${number(now.versions)} versions`) &&
        shown.Stored.startsWith(bytes(now.bytes)) &&
        shown.Received.startsWith(bytes(now.bytes_received)) &&
        shown.Requests.startsWith(number(now.requests)) &&
        shown.Verified === "100 % every version"
      )
    })

    // Each thing that happened is there, the newest first, as the core tells it.
    const { activities } = (await (await stack.asks("/api/activities?client=ada")).json()) as {
      activities: Activity[]
    }
    expect(activities.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["registration", "key_exchange", "upload", "restore"]),
    )
    await operator.opens("Activity")
    await operator.page.getByLabel("Client").fill("ada")
    await operator.page.getByLabel("Kind").selectOption("Restore")
    await operator.row("plan.txt").getByText("Restore").waitFor()
    await operator.page.getByLabel("Kind").selectOption("Upload verified")
    await until("the uploads alone", async () => {
      const rows = operator.page.getByRole("main").getByRole("listitem")
      return (await rows.count()) === 3 && (await rows.getByText("Restore").count()) === 0
    })
    expect(operator.errors).toEqual([])
  })

  test("a core that is killed is said to be away, and live again by itself", async () => {
    await operator.followsLink()
    await operator.reads("Server runs")
    await operator.reads("Live")
    await stack.killCore()
    await operator.reads("Server is away")
    await operator.reads(/may have changed since/)
    // Wherever one goes meanwhile.
    await operator.opens("Transfers")
    await operator.reads(/may have changed since/)
    await stack.startCore()
    await operator.reads("Live")
    expect(await operator.page.getByText(/may have changed since/).count()).toBe(0)
    // What happened unseen is there, without a reload.
    const grace = await CommandLine.registers(stack, "grace")
    await grace.backsUp("compiler.tar", randomBytes(200 * kB))
    await operator.row("compiler.tar").getByText("Upload verified").waitFor()
    expect(operator.errors).toEqual([])
  })
})

describe("a page that has not come", () => {
  test("says so, and opens by itself once it can be fetched", async () => {
    const { page } = operator
    const scripts: Record<string, RegExp> = {
      Storage: /assets\/Storage-[^/]*\.js/,
      Doctor: /assets\/Doctor-[^/]*\.js/,
    }
    for (const script of Object.values(scripts)) {
      await page.route(script, (route) => route.abort())
    }
    await operator.followsLink()
    for (const [place, script] of Object.entries(scripts)) {
      await page
        .getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name: place })
        .click()
      await operator.reads("This page has not come yet")
      await page.unroute(script)
      await operator.sees(place)
      expect(await page.getByText("This page has not come yet").count()).toBe(0)
    }
    expect(operator.errors).toEqual([])
  })

  test("a core that a test left stopped is there for the next one", async () => {
    await stack.killCore()
    await stack.startCoreIfStopped()
    expect((await fetch(`${stack.gatewayURL}/readyz`)).status).toBe(200)
    // One that runs is left alone.
    const { started } = await stats()
    await stack.startCoreIfStopped()
    expect((await stats()).started).toBe(started)
  })
})

describe("transfers", () => {
  test("are shown as they go on, with packets and what is missing, and can be cancelled", async () => {
    await operator.followsLink()
    await operator.opens("Transfers")
    await operator.reads("No upload in progress")

    const lovelace = await Person.arrives(browser, stack, "lovelace")
    await lovelace.registers()
    await lovelace.skipsRecoveryFile()
    stack.relay.holdAfter(3)
    await lovelace.backsUp(await stack.file("lecture.mp4", randomBytes(30 * MB)))
    const row = operator.row("lecture.mp4")
    await row.getByText("3 of 8 packets").waitFor()
    await row.getByText("5 missing").waitFor()
    await row.getByText("lovelace").waitFor()
    const bar = row.getByRole("progressbar", { name: "Progress of lecture.mp4" })
    const { transfers } = await (await stack.asks("/api/transfers")).json()
    expect(transfers).toHaveLength(1)
    expect(Number(await bar.getAttribute("aria-valuenow"))).toBeCloseTo(
      (100 * transfers[0].bytes) / transfers[0].total_bytes,
      1,
    )
    stack.relay.release()
    await row.getByText("Upload verified").waitFor()
    expect(lovelace.errors).toEqual([])
    await lovelace.leaves()

    const nas = await CommandLine.registers(stack, "nas")
    const backup = nas.begins("stream.mkv")
    backup.write(randomBytes(5 * MB))
    await operator.row("stream.mkv").waitFor()
    await operator.presses("Cancel: stream.mkv of nas")
    await operator.confirms("Cancel upload")
    await operator.reads("Upload dropped")
    await operator.reads("No upload in progress")
    backup.write(randomBytes(5 * MB))
    expect(await backup.finishes()).not.toBe(0)
    expect(operator.errors).toEqual([])
  })
})

describe("clients", () => {
  test("one is found, and its page has its files, versions and activity", async () => {
    const ida = await CommandLine.registers(stack, "ida/at home")
    await ida.backsUp("thesis.pdf", randomBytes(100 * kB))
    await ida.backsUp("thesis.pdf", randomBytes(120 * kB))
    await operator.followsLink()
    await operator.opensClient("ida/at home")
    const ofServer = await client("ida/at home")
    expect(ofServer).toMatchObject({ files: 1, versions: 2, key_kind: "RSA" })
    await operator.reads(ofServer.fingerprint)
    await operator.row(/thesis\.pdf.*2.*sealed.*Verified/).waitFor()
    await operator.row(/thesis\.pdf.*1.*sealed.*Verified/).waitFor()
    await operator.reads("Registration")
    // Another version appears by itself.
    await ida.backsUp("thesis.pdf", randomBytes(140 * kB))
    await operator.row(/thesis\.pdf.*3.*sealed.*Verified/).waitFor()
    // Its address can be opened anew.
    await operator.page.reload()
    await operator.sees("ida/at home")
    expect(operator.errors).toEqual([])
  })

  test("one that is suspended is refused at once, in the middle of an upload, and served again when resumed", async () => {
    const eve = await CommandLine.registers(stack, "eve")
    await eve.backsUp("before.txt", "before")
    await operator.followsLink()
    const backup = eve.begins("during.bin")
    backup.write(randomBytes(2 * MB))
    await until("the upload to begin", async () => (await client("eve")).uploads === 1)

    await operator.opensClient("eve")
    await operator.presses("Suspend")
    await operator.confirms("Suspend")
    await operator.reads("Suspended")
    backup.write(randomBytes(2 * MB))
    expect(await backup.finishes()).not.toBe(0)
    await expect(eve.backsUp("after.txt", "after")).rejects.toThrow()
    await expect(eve.restores("before.txt")).rejects.toThrow()

    await operator.presses("Resume")
    await operator.page.getByRole("button", { name: "Suspend", exact: true }).waitFor()
    await eve.backsUp("after.txt", "after")
    await eve.restores("before.txt")
    await operator.row("after.txt").waitFor()
    expect(operator.errors).toEqual([])
  })

  test("a session is ended, and the client makes another", async () => {
    const dora = await CommandLine.registers(stack, "dora")
    await operator.followsLink()
    // A session lasts as long as the connection that it was made on.
    const first = dora.begins("one.bin")
    first.write(randomBytes(2 * MB))
    await until("the session", async () => (await client("dora")).session)
    await operator.opensClient("dora")
    await operator.presses("End session")
    await operator.confirms("End session")
    await operator.reads("No session")
    expect((await client("dora")).session).toBe(false)
    await first.isKilled()

    const second = dora.begins("two.bin")
    second.write(randomBytes(2 * MB))
    await operator.reads("Live session")
    expect(await second.finishes()).toBe(0)
    expect(operator.errors).toEqual([])
  })

  test("one is removed with all its files once its name is typed", async () => {
    const mallory = await CommandLine.registers(stack, "mallory")
    await mallory.backsUp("loot.bin", randomBytes(150 * kB))
    const blob = await Blob.of(stack, "loot.bin")
    await operator.followsLink()
    await operator.opensClient("mallory")
    await operator.presses("Remove")
    const dialog = operator.page.getByRole("dialog")
    const button = dialog.getByRole("button", { name: "Remove for good" })
    await dialog.getByLabel(/to confirm/).fill("mallor")
    expect(await button.isDisabled()).toBe(true)
    await dialog.getByLabel(/to confirm/).fill("mallory")
    await button.click()
    await operator.sees("Clients")
    expect((await stack.asks("/api/clients/mallory")).status).toBe(404)
    await until("its blob to go", () =>
      readFile(blob.path).then(
        () => false,
        () => true,
      ),
    )
    await expect(mallory.backsUp("more.bin", "more")).rejects.toThrow()
    expect(operator.errors).toEqual([])
  })
})

describe("storage", () => {
  test("a check finds the flipped bit, the truncated and the deleted blob, and only those", async () => {
    const vera = await CommandLine.registers(stack, "vera")
    const wilma = await CommandLine.registers(stack, "wilma")
    for (const name of ["flipped.bin", "whole.bin", "cut.bin"]) {
      await vera.backsUp(name, randomBytes(200 * kB))
    }
    for (const name of ["lost.bin", "sound.bin"]) await wilma.backsUp(name, randomBytes(300 * kB))

    await operator.followsLink()
    await operator.opens("Storage")
    await operator.presses("Check now")
    await operator.reads("All that is stored is what was received")

    await (await Blob.of(stack, "flipped.bin")).flipsABit()
    await (await Blob.of(stack, "cut.bin")).losesItsEnd()
    await (await Blob.of(stack, "lost.bin")).isLost()
    await operator.presses("Check now")
    await operator.reads("3 blobs are not what was received")
    const findings = operator.page.getByRole("list", { name: "Findings" }).getByRole("listitem")
    expect((await findings.allInnerTexts()).map(words).sort()).toEqual([
      expect.stringMatching(/^Damaged cut\.bin vera version 1: /),
      expect.stringMatching(/^Damaged flipped\.bin vera version 1: /),
      expect.stringMatching(/^Missing lost\.bin wilma version 1: /),
    ])
    // It is kept: the report is there after the core has started again.
    await stack.restartCore()
    await operator.page.reload()
    await operator.reads("3 blobs are not what was received")

    // Who backs up again has mended it.
    for (const name of ["flipped.bin", "cut.bin"]) await vera.backsUp(name, randomBytes(210 * kB))
    expect(operator.errors).toEqual([])
  })
})

describe("settings", () => {
  test("are changed, hold at once, survive a restart, and are put back", async () => {
    await operator.followsLink()
    await operator.opens("Settings")
    await operator.page.getByLabel("Registration", { exact: true }).selectOption("closed")
    await operator.reads(/^Registration is closed/)
    await expect(CommandLine.registers(stack, "latecomer")).rejects.toThrow()
    const keep = operator.page.getByLabel("Keep versions", { exact: true })
    await keep.fill("-1")
    await operator.presses("Change: Keep versions")
    await operator.page
      .getByRole("alert")
      .getByText(/keep.versions/i)
      .waitFor()
    await keep.fill("9")
    await operator.presses("Change: Keep versions")
    await operator.reads(/^Keep versions is 9/)

    await stack.restartCore()
    await operator.page.reload()
    await operator.sees("Settings")
    expect(await operator.page.getByLabel("Registration", { exact: true }).inputValue()).toBe(
      "closed",
    )
    expect(await operator.page.getByLabel("Keep versions", { exact: true }).inputValue()).toBe("9")
    await expect(CommandLine.registers(stack, "latecomer")).rejects.toThrow()
    await operator.presses("Put back: Registration")
    await operator.presses("Put back: Keep versions")
    await until("both to be put back", async () => {
      return (await operator.page.getByText("Changed here").count()) === 0
    })
    await CommandLine.registers(stack, "latecomer")
    await operator.opens("Activity")
    await operator.page.getByLabel("Kind").selectOption("Settings changed")
    await until("each change to be told", async () => {
      return (await operator.page.getByRole("main").getByRole("listitem").count()) === 4
    })
    expect(operator.errors).toEqual([])
  })

  test("the database is backed up and downloaded; secrets are nowhere", async () => {
    await CommandLine.registers(stack, "keeper of keys")
    await operator.followsLink()
    await operator.opens("Settings")
    await operator.presses("Back up now")
    const link = operator.page.getByRole("link", { name: /^Download: / })
    await link.waitFor()
    const download = operator.page.waitForEvent("download")
    await link.click()
    const content = await readFile(await (await download).path())
    expect(content.subarray(0, 15).toString()).toBe("SQLite format 3")
    expect(content.includes("keeper of keys")).toBe(true)
    const { backups } = await (await stack.asks("/api/backups")).json()
    expect(backups).toMatchObject([{ bytes: content.length }])
    await operator.page.getByRole("button", { name: /^Remove: / }).click()
    await operator.confirms("Remove")
    await operator.reads("There is no backup yet")

    const key = (await readFile(`${stack.data}/master.key`, "utf8")).trim()
    const token = await stack.consoleToken()
    for (const path of ["/api/settings", "/api/clients", "/api/logs", "/metrics"]) {
      const text = await (await stack.asks(path)).text()
      expect(text.length, path).toBeGreaterThan(100)
      expect(text.includes(key) || text.includes(token), path).toBe(false)
    }
    expect(operator.errors).toEqual([])
  })
})

describe("log and doctor", () => {
  test("records come as they are written, are filtered and downloaded", async () => {
    await operator.followsLink()
    await operator.opens("Logs")
    const zoe = await CommandLine.registers(stack, "zoe")
    const { fingerprint } = await client("zoe")
    const records = operator.page.getByRole("list", { name: "Log records" }).getByRole("listitem")
    await records.filter({ hasText: fingerprint }).first().waitFor()
    await operator.page.getByLabel("Client").fill("zoe")
    await until("the records of one client alone", async () => {
      const texts = await records.allInnerTexts()
      return texts.length > 0 && texts.every((text) => text.includes(fingerprint))
    })
    await operator.page.getByLabel("Search the text").fill("public key")
    await until("fewer", async () => (await records.count()) === 1)

    const download = operator.page.waitForEvent("download")
    await operator.page.getByRole("link", { name: "Download" }).click()
    const lines = (await readFile(await (await download).path(), "utf8")).trim().split("\n")
    expect(lines.map((line) => JSON.parse(line).message)).toEqual([
      expect.stringContaining("public key"),
    ])
    // What does not match is not shown as it comes.
    await zoe.backsUp("note.txt", "note")
    await stack.asks("/api/clients/zoe/end-session", {
      method: "POST",
      headers: { "X-Coffer-Console": "1" },
    })
    expect(await records.count()).toBe(1)
    await operator.page.getByLabel("Level").selectOption("Errors")
    await operator.reads("No record matches")
    expect(operator.errors).toEqual([])
  })

  test("a request that failed is laid out field by field", async () => {
    await sendsNonsense(stack)
    await operator.followsLink()
    await operator.opens("Doctor")
    await operator.page
      .getByRole("button", { name: /1028.*not protocol version 3/ })
      .first()
      .click()
    await operator.page.getByRole("row", { name: "16 09 version 9" }).first().waitFor()
    expect(operator.errors).toEqual([])
  })
})

test("the keyboard reaches everything, and each page tells its name", async () => {
  await operator.followsLink()
  await operator.page.keyboard.press("Tab")
  const skip = operator.page.getByRole("link", { name: "Skip to the content" })
  expect(await skip.evaluate((link) => link === document.activeElement)).toBe(true)
  const places: Place[] = [
    "Clients",
    "Transfers",
    "Storage",
    "Activity",
    "Logs",
    "Doctor",
    "Settings",
  ]
  for (const place of places) {
    const link = operator.page
      .getByRole("navigation", { name: "Pages" })
      .getByRole("link", { name: place })
    await link.focus()
    await operator.page.keyboard.press("Enter")
    await operator.sees(place)
    expect(await operator.page.title()).toBe(`${place} · Coffer console`)
    await until("the focus to be in the page", () =>
      operator.page.evaluate(() => document.activeElement?.id === "main"),
    )
  }
  expect(operator.errors).toEqual([])
})

function words(text: string): string {
  return text.replace(/\s+/g, " ").trim()
}
