/** An operator at the console: what they see and press, by the names that a screen reader would read out. */
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core"
import { watch } from "./person"
import type { Stack } from "./stack"

export type Place =
  | "Dashboard"
  | "Clients"
  | "Transfers"
  | "Storage"
  | "Activity"
  | "Logs"
  | "Doctor"
  | "Settings"

export class Operator {
  /** Errors of the page itself: a test that ends with any has failed. */
  readonly errors: string[] = []

  private constructor(
    readonly stack: Stack,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  /** Sits down at a browser that has never been here. */
  static async arrives(
    browser: Browser,
    stack: Stack,
    options: BrowserContextOptions = {},
  ): Promise<Operator> {
    const context = await browser.newContext({ acceptDownloads: true, locale: "en-GB", ...options })
    const operator = new Operator(stack, context, await context.newPage())
    watch(operator.page, operator.errors)
    return operator
  }

  async leaves() {
    await this.context.close()
  }

  async goes(path: string) {
    await this.page.goto(this.stack.consoleURL + path)
  }

  /** Follows the link that the core prints when it starts. */
  async followsLink() {
    await this.goes(`/?token=${await this.stack.consoleToken()}`)
    await this.sees("Dashboard")
  }

  async presses(name: string | RegExp) {
    await this.page.getByRole("button", { name, exact: typeof name === "string" }).click()
  }

  /** Presses a button of the dialog that asks whether one is sure. */
  async confirms(name: string) {
    const dialog = this.page.getByRole("dialog")
    await dialog.getByRole("button", { name, exact: true }).click()
    await dialog.waitFor({ state: "hidden" })
  }

  async opens(place: Place) {
    const pages = this.page.getByRole("navigation", { name: "Pages" })
    const link = pages.getByRole("link", { name: place })
    const more = pages.getByRole("button", { name: "More" })
    // A phone has room for some of them; the rest is in a menu.
    if (await link.isVisible()) await link.click()
    else {
      await more.click()
      await this.page.getByRole("menuitem", { name: place }).click()
    }
    await this.sees(place)
  }

  async opensClient(name: string) {
    await this.opens("Clients")
    await this.page.getByLabel("Search by name or fingerprint").fill(name)
    await this.page.getByRole("link", { name, exact: true }).click()
    await this.sees(name)
  }

  /** Waits for a heading. */
  async sees(heading: string) {
    await this.page.getByRole("heading", { name: heading, exact: true, level: 1 }).waitFor()
  }

  async reads(words: string | RegExp): Promise<Locator> {
    const found = this.page.getByText(words).first()
    await found.waitFor()
    return found
  }

  /** What stands under the label of a figure. */
  figure(label: string): Promise<string[]> {
    return this.page
      .locator("dl")
      .filter({ has: this.page.getByText(label, { exact: true }) })
      .locator("dd")
      .allInnerTexts()
  }

  /** A row of a list or a table. */
  row(words: string | RegExp): Locator {
    const main = this.page.getByRole("main")
    return main.getByRole("row").or(main.getByRole("listitem")).filter({ hasText: words }).first()
  }
}
