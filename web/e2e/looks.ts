/** How pages look: their pictures, and what axe finds serious in them. */
import { mkdir, readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import type { BrowserContextOptions, Page } from "playwright-core"
import { until } from "./stack"

const pictures = join(import.meta.dirname, "screenshots")
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

export const looks: Record<string, BrowserContextOptions> = {
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

/** Takes pictures of a page, and notes what is wrong with how it looks. */
export class Pictures {
  /** By picture, what axe found serious and what sticks out. */
  readonly found: Record<string, string[]> = {}

  private constructor(
    private readonly page: Page,
    private readonly look: string,
    private readonly axeSource: string,
  ) {}

  static async of(page: Page, look: string): Promise<Pictures> {
    await mkdir(pictures, { recursive: true })
    return new Pictures(page, look, await readFile(axe, "utf8"))
  }

  async take(name: string, options: { fullPage?: boolean } = {}) {
    await this.page.evaluate(() => document.fonts.ready)
    await until("animations to end", () =>
      this.page.evaluate(() => document.getAnimations().every((a) => a.playState !== "running")),
    )
    await this.page.screenshot({ path: join(pictures, `${name}-${this.look}.png`), ...options })
    const wrong = await this.faults()
    if (wrong.length > 0) this.found[name] = wrong
  }

  /** What axe finds serious, and whether anything sticks out to the side. */
  private async faults(): Promise<string[]> {
    // Evaluated rather than added as a script, which the page's policy forbids.
    await this.page.evaluate(this.axeSource)
    return this.page.evaluate(async () => {
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
}
