// @vitest-environment jsdom
import "@testing-library/jest-dom/vitest"
import { render, screen, waitFor, within } from "@testing-library/react"
import userEvent from "@testing-library/user-event"
import { beforeEach, describe, expect, test } from "vitest"
import { App } from "../app/App"
import { FakeEngine, fakeFile, fakeTransfer } from "../testing/fakeEngine"

const signedIn = { state: "signed-in", username: "ada", expires: new Date() } as const

function open(path: string, engine: FakeEngine): FakeEngine {
  window.history.pushState({}, "", path)
  render(<App engine={engine} />)
  return engine
}

beforeEach(() => localStorage.clear())

describe("signing in", () => {
  test("a wrong passphrase says what to do, the right one opens the page asked for", async () => {
    const person = userEvent.setup()
    open("/settings", new FakeEngine())
    await person.type(await screen.findByLabelText("Account name"), "ada")
    await person.type(screen.getByLabelText("Passphrase"), "wrong")
    await person.click(screen.getByRole("button", { name: "Sign in" }))
    expect(await screen.findByRole("alert")).toHaveTextContent("Check both and try again.")

    await person.clear(screen.getByLabelText("Passphrase"))
    await person.type(screen.getByLabelText("Passphrase"), "correct")
    await person.click(screen.getByRole("button", { name: "Sign in" }))
    expect(await screen.findByRole("heading", { name: "Settings" })).toBeInTheDocument()
  })

  test("a passphrase can be shown", async () => {
    const person = userEvent.setup()
    open("/", new FakeEngine())
    const field = await screen.findByLabelText("Passphrase")
    expect(field).toHaveAttribute("type", "password")
    await person.click(screen.getByRole("button", { name: "Show passphrase" }))
    expect(field).toHaveAttribute("type", "text")
  })
})

describe("registering", () => {
  test("weak and mistyped passphrases are refused; then the recovery file is offered", async () => {
    const person = userEvent.setup()
    open("/register", new FakeEngine())
    await person.type(await screen.findByLabelText(/Account name/), "ada")
    await person.type(screen.getByLabelText("Passphrase"), "password1")
    await person.type(screen.getByLabelText("Repeat the passphrase"), "password1")
    await person.click(screen.getByRole("checkbox"))
    await person.click(screen.getByRole("button", { name: "Create account" }))
    expect(await screen.findByText(/too easy to guess/)).toBeInTheDocument()

    await person.clear(screen.getByLabelText("Passphrase"))
    await person.type(screen.getByLabelText("Passphrase"), "glacier pewter mongoose ladle")
    await person.click(screen.getByRole("button", { name: "Create account" }))
    expect(await screen.findByText(/The two passphrases differ/)).toBeInTheDocument()

    await person.clear(screen.getByLabelText("Repeat the passphrase"))
    await person.type(
      screen.getByLabelText("Repeat the passphrase"),
      "glacier pewter mongoose ladle",
    )
    await person.click(screen.getByRole("button", { name: "Create account" }))
    expect(
      await screen.findByRole("heading", { name: "Save your recovery file" }),
    ).toBeInTheDocument()
    expect(screen.getByRole("button", { name: "Continue" })).toBeDisabled()
  })
})

describe("transfers", () => {
  test("each state offers what can be done with it", async () => {
    const person = userEvent.setup()
    const engine = open("/transfers", new FakeEngine(signedIn))
    engine.show([
      fakeTransfer("a.txt", { state: "sending", sent: 400 }),
      fakeTransfer("b.txt", {
        state: "failed",
        problem: {
          title: "The server is full",
          message: "The server has no room.",
          advice: "Delete old files, then try again.",
          kind: "space",
        },
      }),
      fakeTransfer("c.txt", { state: "unfinished", needsFile: true }),
    ])
    await person.click(await screen.findByRole("button", { name: "Pause: a.txt" }))
    expect(screen.getByText(/Delete old files, then try again/)).toBeInTheDocument()
    await person.click(screen.getByRole("button", { name: "Try again: b.txt" }))
    await person.upload(screen.getByLabelText("The file c.txt"), new File(["x"], "c.txt"))
    expect(engine.calls).toEqual(["pause a.txt", "retry b.txt", "give c.txt c.txt"])
  })

  test("the history tells of verified files and is cleared", async () => {
    const person = userEvent.setup()
    const engine = open("/transfers", new FakeEngine(signedIn))
    engine.show([fakeTransfer("a.txt", { state: "verified", cksum: 0x1a2b3c4d })])
    const history = await screen.findByRole("region", { name: "History" })
    await waitFor(() => expect(history).toHaveTextContent("439041101 (0x1a2b3c4d)"))
    await person.click(within(history).getByRole("button", { name: "Clear" }))
    expect(engine.calls).toEqual(["clear finished"])
  })

  test("signing out asks first while something is under way", async () => {
    const person = userEvent.setup()
    const engine = open("/transfers", new FakeEngine(signedIn))
    engine.show([fakeTransfer("a.txt", { state: "sending" })])
    await person.click(await screen.findByRole("button", { name: /Account menu/ }))
    await person.click(await screen.findByRole("menuitem", { name: "Sign out" }))
    const dialog = await screen.findByRole("dialog", { name: "Sign out now?" })
    expect(dialog).toHaveTextContent("One transfer is not finished.")
    expect(engine.calls).toEqual([])
    await person.click(within(dialog).getByRole("button", { name: "Sign out" }))
    expect(await screen.findByRole("heading", { name: "Sign in" })).toBeInTheDocument()
    expect(engine.calls).toEqual(["sign out"])
  })

  test("an expired session asks for the passphrase and keeps the queue", async () => {
    const person = userEvent.setup()
    const engine = open("/transfers", new FakeEngine(signedIn))
    engine.show([fakeTransfer("a.txt", { state: "paused" })])
    await screen.findByText("a.txt")
    engine.become({ state: "expired", username: "ada" })
    await person.type(await screen.findByLabelText("Passphrase of ada"), "correct")
    await person.click(screen.getByRole("button", { name: "Continue" }))
    await waitFor(() => expect(screen.queryByLabelText("Passphrase of ada")).toBeNull())
    expect(screen.getByText("a.txt")).toBeInTheDocument()
  })
})

describe("files", () => {
  function stored(): FakeEngine {
    const engine = new FakeEngine(signedIn)
    engine.stored = [
      fakeFile("photos/2026/sea.jpg", { original_size: 5_000_000 }),
      fakeFile("thesis.tex", { original_size: 40_000, version: 3 }),
      fakeFile("photos/2025/sea.jpg", { original_size: 9_000_000 }),
    ]
    return engine
  }
  const names = () =>
    screen
      .getAllByRole("row")
      .slice(1)
      .map((row) =>
        within(row).getAllByRole("button")[0]?.querySelector("[title]")?.getAttribute("title"),
      )

  test("are searched by all words and sorted by a column", async () => {
    const person = userEvent.setup()
    open("/files", stored())
    await screen.findByRole("button", { name: "Restore: thesis.tex" })
    await person.click(screen.getByRole("button", { name: "Size" }))
    expect(names()).toEqual(["photos/2025/sea.jpg", "photos/2026/sea.jpg", "thesis.tex"])
    await person.click(screen.getByRole("button", { name: "Size" }))
    expect(names()[0]).toBe("thesis.tex")

    await person.type(screen.getByLabelText("Search by name"), "sea 2025")
    await waitFor(() => expect(names()).toEqual(["photos/2025/sea.jpg"]))
  })

  test("a version is restored from the details", async () => {
    const person = userEvent.setup()
    const engine = open("/files?file=thesis.tex", stored())
    await person.click(
      await screen.findByRole("button", { name: "Restore this version: version 2" }),
    )
    expect(engine.calls).toEqual(["restore thesis.tex 2"])
  })

  test.each([
    ["not sealed", { format: "file" }, "Not sealed"],
    ["of unknown making", { format: "unknown" }, "Not sealed"],
    ["older than what was seen", { doubt: { kind: "older", seen: 4 } }, "Older than seen"],
    ["another than was seen", { doubt: { kind: "replaced" } }, "Not as seen"],
  ] as const)(
    "what is %s is marked, and restored only after a question",
    async (_what, over, mark) => {
      const person = userEvent.setup()
      const engine = new FakeEngine(signedIn)
      engine.stored = [fakeFile("odd.txt", over)]
      open("/files", engine)
      expect(await screen.findByText(mark)).toBeInTheDocument()
      await person.click(screen.getByRole("button", { name: "Restore: odd.txt" }))
      const question = await screen.findByRole("dialog")
      expect(within(question).getByRole("alert")).toBeInTheDocument()
      expect(engine.calls).toEqual([])
      await person.click(within(question).getByRole("button", { name: "Restore it all the same" }))
      expect(engine.calls).toEqual(["restore odd.txt 1 trusted"])
    },
  )

  test("sealed files are not marked, and restored without a question", async () => {
    const person = userEvent.setup()
    const engine = new FakeEngine(signedIn)
    engine.stored = [fakeFile("good.txt")]
    open("/files", engine)
    await person.click(await screen.findByRole("button", { name: "Restore: good.txt" }))
    expect(screen.queryByText("Not sealed")).not.toBeInTheDocument()
    expect(engine.calls).toEqual(["restore good.txt 1"])
  })

  test("a snapshot is listed as one, and not restored here", async () => {
    const engine = new FakeEngine(signedIn)
    const name = `s/${"0a".repeat(16)}`
    engine.stored = [fakeFile(name, { format: "snapshot" }), fakeFile("good.txt")]
    open(`/files?file=${encodeURIComponent(name)}`, engine)
    expect(await screen.findByText("Snapshot, made by the coffer command line")).toBeInTheDocument()
    expect(screen.getByText("Yes: only your keys open it")).toBeInTheDocument()
    await screen.findByRole("button", { name: "Restore: good.txt", hidden: true })
    expect(screen.queryByText("Not sealed")).not.toBeInTheDocument()
    const restores = () =>
      screen
        .getAllByRole("button", { hidden: true })
        .map((button) => button.getAttribute("aria-label") ?? button.textContent)
        .filter((label) => label?.startsWith("Restore"))
    expect(restores()).toEqual(["Restore: good.txt"])
  })

  test("beside a list that found no server none is said to be running", async () => {
    const engine = new FakeEngine(signedIn)
    const away = {
      title: "The server was not reached",
      message: "M.",
      advice: "A.",
      kind: "network",
    }
    engine.server.files = () => Promise.reject(away)
    open("/files", engine)
    await screen.findByText("The server was not reached", {}, { timeout: 30_000 })
    expect(screen.getByText("Server not reached")).toBeInTheDocument()
    expect(screen.queryByText("Server is running")).not.toBeInTheDocument()
    // It comes back, and nobody has to press anything.
    engine.server.files = async () => [fakeFile("back.txt")]
    await screen.findByRole("button", { name: "Restore: back.txt" }, { timeout: 45_000 })
    await screen.findByText("Server is running", {}, { timeout: 30_000 })
  }, 120_000)

  test("deleting asks first", async () => {
    const person = userEvent.setup()
    const engine = open("/files", stored())
    await person.click(await screen.findByRole("button", { name: "Delete: thesis.tex" }))
    const dialog = await screen.findByRole("dialog", { name: "Delete this file?" })
    expect(engine.calls).toEqual([])
    await person.click(within(dialog).getByRole("button", { name: "Delete" }))
    await waitFor(() => expect(engine.calls).toEqual(["remove thesis.tex all"]))
  })
})

describe("settings", () => {
  test("an account goes only when its name was typed", async () => {
    const person = userEvent.setup()
    open("/settings", new FakeEngine(signedIn))
    await person.click(await screen.findByRole("button", { name: "Delete account" }))
    const dialog = await screen.findByRole("dialog", { name: "Delete this account?" })
    await person.type(within(dialog).getByLabelText("Passphrase"), "correct")
    const button = within(dialog).getByRole("button", { name: "Delete for good" })
    expect(button).toBeDisabled()
    await person.type(within(dialog).getByLabelText(/to confirm/), "ada")
    await person.click(button)
    expect(await screen.findByRole("heading", { name: "Sign in" })).toBeInTheDocument()
  })
})

test("an address that leads nowhere says so", async () => {
  open("/nowhere", new FakeEngine(signedIn))
  expect(await screen.findByText("This address leads nowhere")).toBeInTheDocument()
})
