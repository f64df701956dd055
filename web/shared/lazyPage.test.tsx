// @vitest-environment jsdom
import "@testing-library/jest-dom/vitest"
import { MantineProvider } from "@mantine/core"
import { act, render, screen } from "@testing-library/react"
import type { ComponentType } from "react"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { lazyPage } from "./lazyPage"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A page that comes once the server is there. */
function setUp() {
  const server = { away: false, asked: 0 }
  const Page = lazyPage(async () => {
    server.asked++
    if (server.away) throw new TypeError("Failed to fetch dynamically imported module")
    return { Files: (() => <h1>Files</h1>) as ComponentType }
  }, "Files")
  return { server, Page }
}

const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds))

test("a page that does not come says so, and opens by itself when the server is back", async () => {
  const { server, Page } = setUp()
  server.away = true
  render(
    <MantineProvider>
      <Page />
    </MantineProvider>,
  )
  await pass(0)
  expect(screen.getByRole("alert")).toHaveTextContent("The server does not answer.")
  await pass(30_000)
  expect(screen.getByRole("alert")).toBeInTheDocument()
  expect(server.asked).toBeGreaterThan(2)
  server.away = false
  await pass(10_000)
  expect(screen.getByRole("heading", { name: "Files" })).toBeInTheDocument()
  const { asked } = server
  await pass(60_000)
  expect(server.asked).toBe(asked)
})

test("what was fetched ahead opens while the server is away", async () => {
  const { server, Page } = setUp()
  await Page.preload?.()
  server.away = true
  render(
    <MantineProvider>
      <Page />
    </MantineProvider>,
  )
  expect(screen.getByRole("heading", { name: "Files" })).toBeInTheDocument()
  expect(server.asked).toBe(1)
})

test("fetching ahead that fails rejects nothing, and goes on", async () => {
  const { server, Page } = setUp()
  server.away = true
  await Page.preload?.()
  server.away = false
  await pass(10_000)
  expect(server.asked).toBe(2)
})
