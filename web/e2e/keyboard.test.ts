import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { launch, Person, passphrase } from "./person"
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

test("everything is reached by keyboard, and the focus is where one expects it", async () => {
  const first = await Person.arrives(browser, stack, "ada")
  await first.registers()
  await first.skipsRecoveryFile()
  await first.backsUp(await stack.file("letter.txt", "dear Charles"))
  await first.seesState("letter.txt", "Verified")
  await first.leaves()

  const ada = await Person.arrives(browser, stack, "ada")
  const { page } = ada
  const { keyboard } = page
  const focused = (role: "link" | "button" | "main" | "textbox", name?: string) =>
    page.getByRole(role, { name, exact: true }).and(page.locator(":focus")).waitFor()

  await ada.goes("/files")
  // The cursor stands in the first field already.
  await focused("textbox", "Account name")
  await keyboard.type("ada")
  await keyboard.press("Tab")
  await keyboard.type(passphrase)
  await keyboard.press("Enter")
  await ada.sees("Files")

  await page.locator("body").press("Tab")
  await focused("link", "Skip to the content")
  await keyboard.press("Enter")
  await keyboard.press("Tab")
  await focused("textbox", "Search by name")

  // A details drawer takes the focus, and gives it back where it was.
  const row = page.getByRole("button", { name: /^letter\.txt/ })
  await row.focus()
  await keyboard.press("Enter")
  await page.getByRole("dialog").getByRole("heading", { name: "Versions" }).waitFor()
  expect(await page.getByRole("dialog").evaluate((d) => d.contains(document.activeElement))).toBe(
    true,
  )
  await keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "hidden" })
  await row.and(page.locator(":focus")).waitFor()

  // After a page was changed the keyboard goes on at the top of the new one.
  await page.getByRole("link", { name: "Settings" }).focus()
  await keyboard.press("Enter")
  await ada.sees("Settings")
  await focused("main")
  expect(ada.errors).toEqual([])
  await ada.leaves()
})
