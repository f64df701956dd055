// @vitest-environment jsdom
import "@testing-library/jest-dom/vitest"
import { act, render, screen, waitFor, within } from "@testing-library/react"
import userEvent from "@testing-library/user-event"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { App } from "../app/App"
import { startConsole } from "../app/console"
import {
  FakeEventSource,
  FakeServer,
  Refusal,
  someActivity,
  someClient,
  someSetting,
  someStats,
  someStorage,
  someTransfer,
} from "../testing/fakeServer"

// It draws on a canvas, which jsdom has not.
vi.mock("uplot", () => ({
  default: class {
    setData() {}
    setSize() {}
    destroy() {}
  },
}))

let server: FakeServer

beforeEach(() => {
  localStorage.clear()
  server = new FakeServer()
})

afterEach(() => vi.unstubAllGlobals())

function open(path: string) {
  window.history.pushState({}, "", path)
  render(<App console={startConsole()} />)
}

/** The figures of a moment come, once the page follows them. */
async function live(stats = someStats()) {
  await waitFor(() => server.events)
  act(() => server.events.send("stats", stats))
}

function figure(label: string): HTMLElement {
  const term = screen.getByText(label, { selector: "dt" })
  return term.closest("dl") as HTMLElement
}

describe("access", () => {
  test("a wrong token says where the right one is; the right one opens the page asked for", async () => {
    const person = userEvent.setup()
    server.signedIn = false
    server.on("POST /api/session", ({ body }) => {
      if ((body as { token: string }).token !== "right") {
        return new Refusal(401, "the token is wrong")
      }
      server.signedIn = true
    })
    open("/logs")
    await person.type(await screen.findByLabelText("Token"), "wrong")
    await person.click(screen.getByRole("button", { name: "Sign in" }))
    expect(await screen.findByRole("alert")).toHaveTextContent(/The token is wrong\. Check/)

    await person.clear(screen.getByLabelText("Token"))
    await person.type(screen.getByLabelText("Token"), "right")
    await person.click(screen.getByRole("button", { name: "Sign in" }))
    expect(await screen.findByRole("heading", { name: "Logs" })).toBeInTheDocument()
  })

  test("a session that ends leads to the sign-in, and nothing of before stays", async () => {
    open("/")
    await live()
    expect(await screen.findByText("Server runs")).toBeInTheDocument()
    server.signedIn = false
    act(() => server.events.refuse())
    expect(await screen.findByLabelText("Token")).toBeInTheDocument()
    expect(screen.queryByText("Server runs")).not.toBeInTheDocument()
  })

  test("a server that cannot be reached can be tried again", async () => {
    const person = userEvent.setup()
    server.away = true
    open("/")
    expect(await screen.findByRole("alert")).toHaveTextContent("The server does not answer")
    server.away = false
    await person.click(screen.getByRole("button", { name: "Try again" }))
    expect(await screen.findByRole("heading", { name: "Dashboard" })).toBeInTheDocument()
  })
})

describe("live", () => {
  test("figures follow what is pushed", async () => {
    open("/")
    await live(someStats({ connections: 3, verified: 99_999, versions: 100_000 }))
    expect(figure("Connected clients")).toHaveTextContent("3")
    // Not 100 %: one is missing.
    expect(figure("Verified")).toHaveTextContent("99.9 %")
    act(() => server.events.send("stats", someStats({ connections: 4 })))
    expect(figure("Connected clients")).toHaveTextContent("4")
  })

  test("while the server is away the page says so, and is live again by itself", async () => {
    open("/")
    await live()
    expect(screen.getByText("Live")).toBeInTheDocument()
    act(() => server.events.break())
    expect(screen.getByText("Server is away")).toBeInTheDocument()
    expect(screen.getByText(/may have changed since/)).toBeInTheDocument()
    const asked = vi.fn(() => ({ activities: [someActivity(7, { file: "meanwhile.txt" })] }))
    server.on("GET /api/activities", asked)
    await live()
    expect(screen.queryByText(/may have changed since/)).not.toBeInTheDocument()
    // What happened unseen is asked for.
    expect(await screen.findByText("meanwhile.txt")).toBeInTheDocument()
  })

  test("a connection that falls silent is not live", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true })
    try {
      open("/")
      await live()
      expect(screen.getByText("Live")).toBeInTheDocument()
      await act(() => vi.advanceTimersByTimeAsync(6_000))
      expect(screen.getByText("Server is away")).toBeInTheDocument()
      const before = server.sources.length
      await act(() => vi.advanceTimersByTimeAsync(10_000))
      expect(server.sources.length).toBeGreaterThan(before)
    } finally {
      vi.useRealTimers()
    }
  })

  test("a tab that nobody looks at keeps no connection, and is live again when looked at", async () => {
    open("/")
    await live()
    const source = server.events
    const visibility = vi.spyOn(document, "visibilityState", "get")
    const turn = (state: DocumentVisibilityState) =>
      act(() => {
        visibility.mockReturnValue(state)
        document.dispatchEvent(new Event("visibilitychange"))
      })
    turn("hidden")
    expect(source.readyState).toBe(FakeEventSource.CLOSED)
    expect(screen.queryByText("Live")).not.toBeInTheDocument()
    server.on("GET /api/activities", () => ({
      activities: [someActivity(7, { file: "meanwhile.txt" })],
    }))
    turn("visible")
    expect(server.events).not.toBe(source)
    await live()
    expect(screen.getByText("Live")).toBeInTheDocument()
    expect(await screen.findByText("meanwhile.txt")).toBeInTheDocument()
    visibility.mockRestore()
  })

  test("activity is put before what was fetched, each once", async () => {
    const client = { name: "ada", fingerprint: "9f86d081" }
    server.on("GET /api/activities", () => ({
      activities: [someActivity(5, { client, file: "fetched.txt" })],
    }))
    open("/")
    expect(await screen.findByText("fetched.txt")).toBeInTheDocument()
    await live()
    act(() => {
      server.events.send("activity", someActivity(5, { client, file: "fetched.txt" }))
      server.events.send(
        "activity",
        someActivity(6, { client, file: "pushed.txt", kind: "mismatch", outcome: "failed" }),
      )
    })
    const pushed = await screen.findByText("pushed.txt")
    expect(pushed.closest("li")).toHaveTextContent("Checksum mismatch")
    expect(pushed.closest("li")).toHaveTextContent("Failed")
    expect(screen.getAllByText("fetched.txt")).toHaveLength(1)
    const rows = within(screen.getByRole("region", { name: "Recent activity" })).getAllByRole(
      "listitem",
    )
    expect(rows[0]).toHaveTextContent("pushed.txt")
  })
})

describe("activity", () => {
  const ada = { name: "ada", fingerprint: "9f86d081" }
  const bob = { name: "bob", fingerprint: "60303ae2" }
  beforeEach(() => {
    server.on("GET /api/activities", ({ query }) => ({
      activities: [
        someActivity(6, { client: ada, file: "plan.txt" }),
        someActivity(5, { client: ada, kind: "sign_in" }),
        someActivity(4, { client: bob, kind: "sign_in" }),
        someActivity(3, { client: ada, kind: "sign_in", outcome: "failed" }),
      ].filter(({ outcome }) => outcome === (query.get("outcome") ?? outcome)),
    }))
  })

  test("the dashboard leaves out a sign-in that only preceded work, and no other", async () => {
    open("/")
    await screen.findByText("plan.txt")
    const rows = within(screen.getByRole("region", { name: "Recent activity" }))
      .getAllByRole("listitem")
      .map((row) => row.textContent)
    expect(rows).toEqual([
      expect.stringContaining("plan.txt"),
      expect.stringContaining("Sign-inbob"),
      expect.stringContaining("Sign-inadaFailed"),
    ])
  })

  test("its own page has all of it, and finds what failed", async () => {
    const person = userEvent.setup()
    open("/activity")
    await screen.findByText("plan.txt")
    const list = () => within(screen.getByRole("main")).getAllByRole("listitem")
    expect(list()).toHaveLength(4)
    await person.selectOptions(screen.getByLabelText("Outcome"), "Failed")
    await waitFor(() => expect(list()).toHaveLength(1))
    expect(list()[0]).toHaveTextContent("Failed")
    expect(window.location.search).toBe("?outcome=failed")
  })
})

describe("clients", () => {
  test("are searched, sorted and paged by the server", async () => {
    const person = userEvent.setup()
    const asked: string[] = []
    server.on("GET /api/clients", ({ query }) => {
      asked.push(query.toString())
      return { clients: [someClient("ada"), someClient("bob", { suspended: true })], total: 120 }
    })
    open("/clients")
    expect(await screen.findByText("bob")).toBeInTheDocument()
    expect(screen.getByText("Suspended")).toBeInTheDocument()
    expect(screen.getByText("120 clients")).toBeInTheDocument()
    await person.click(screen.getByRole("button", { name: "Stored" }))
    await person.click(screen.getByRole("button", { name: "2" }))
    await waitFor(() => expect(asked).toContain("sort=bytes&descending=true&offset=50&limit=50"))
    // Another search begins at its first page.
    await person.type(screen.getByLabelText("Search by name or fingerprint"), "a d")
    await waitFor(() =>
      expect(asked).toContain("search=a+d&sort=bytes&descending=true&offset=0&limit=50"),
    )
  })

  test("one whose name is hard to tell from another one is marked, and only that one", async () => {
    const clients = [someClient("admln", { looks_like: "admin" }), someClient("grace")]
    server
      .on("GET /api/clients", () => ({ clients, total: 2 }))
      .on("GET /api/clients/admln", () => clients[0])
      .on("GET /api/clients/admln/files", () => ({ files: [] }))
    open("/clients")
    const row = (await screen.findByRole("link", { name: "admln" })).closest("tr") as HTMLElement
    expect(within(row).getByText("looks like admin")).toBeInTheDocument()
    expect(screen.getAllByText(/looks like/)).toHaveLength(1)
    await userEvent.click(within(row).getByRole("link", { name: "admln" }))
    expect(await screen.findByRole("heading", { name: "admln" })).toBeInTheDocument()
    expect(await screen.findByText("looks like admin")).toBeInTheDocument()
  })

  test("one goes only when its name was typed", async () => {
    const person = userEvent.setup()
    server
      .on("GET /api/clients/ada%2Fhome", () => someClient("ada/home"))
      .on("GET /api/clients/ada%2Fhome/files", () => ({ files: [] }))
      .on("GET /api/clients", () => ({ clients: [], total: 0 }))
      .on("DELETE /api/clients/ada%2Fhome", () => undefined)
    open("/clients/ada%2Fhome")
    await person.click(await screen.findByRole("button", { name: "Remove" }))
    const dialog = await screen.findByRole("dialog", { name: "Remove this client?" })
    expect(dialog).toHaveTextContent("2 files in 3 versions")
    expect(within(dialog).getByRole("button", { name: "Remove for good" })).toBeDisabled()
    await person.type(within(dialog).getByLabelText(/to confirm/), "ada/home")
    await person.click(within(dialog).getByRole("button", { name: "Remove for good" }))
    expect(await screen.findByText("Nobody has registered yet")).toBeInTheDocument()
    expect(server.changes).toEqual(["DELETE /api/clients/ada%2Fhome confirm=ada%2Fhome"])
  })

  test("one is suspended, and resumed", async () => {
    const person = userEvent.setup()
    let suspended = false
    server
      .on("GET /api/clients/ada", () => someClient("ada", { suspended }))
      .on("GET /api/clients/ada/files", () => ({ files: [] }))
      .on("POST /api/clients/ada/suspend", () => {
        suspended = true
      })
      .on("POST /api/clients/ada/resume", () => {
        suspended = false
      })
    open("/clients/ada")
    await person.click(await screen.findByRole("button", { name: "Suspend" }))
    const dialog = await screen.findByRole("dialog", { name: "Suspend this client?" })
    await person.click(within(dialog).getByRole("button", { name: "Suspend" }))
    expect(await screen.findByText("Suspended")).toBeInTheDocument()
    await person.click(screen.getByRole("button", { name: "Resume" }))
    expect(await screen.findByText("Live session")).toBeInTheDocument()
    expect(server.changes).toEqual([
      "POST /api/clients/ada/suspend",
      "POST /api/clients/ada/resume",
    ])
  })

  test("one that is not there is said to be gone", async () => {
    open("/clients/nobody")
    expect(await screen.findByText("There is no such client")).toBeInTheDocument()
  })
})

describe("transfers", () => {
  test("go on as they are pushed, and one is cancelled", async () => {
    const person = userEvent.setup()
    server.on(`DELETE /api/transfers/${someTransfer("").id}`, () => undefined)
    open("/transfers")
    expect(await screen.findByText("No upload in progress")).toBeInTheDocument()
    await live()
    act(() => server.events.send("transfers", { transfers: [someTransfer("film.mov")] }))
    const row = screen.getByText("film.mov").closest("li") as HTMLElement
    expect(row).toHaveTextContent("250 bytes of 1.00 kB")
    expect(row).toHaveTextContent("1 of 4 packets")
    expect(row).toHaveTextContent("3 missing")
    expect(row).toHaveTextContent("8 seconds left")
    expect(within(row).getByRole("progressbar")).toHaveAttribute("aria-valuenow", "25")
    await person.click(within(row).getByRole("button", { name: "Cancel: film.mov of ada" }))
    await person.click(await screen.findByRole("button", { name: "Cancel upload" }))
    await waitFor(() =>
      expect(server.changes).toEqual([`DELETE /api/transfers/${someTransfer("").id}`]),
    )
  })

  test("ended ones are told with their reason", async () => {
    server.on("GET /api/transfers", () => ({
      transfers: [],
      ended: [
        someActivity(1, {
          kind: "upload_dropped",
          outcome: "warning",
          file: "late.bin",
          detail: "nothing came for 24h",
        }),
      ],
    }))
    open("/transfers")
    const row = (await screen.findByText("late.bin")).closest("li")
    expect(row).toHaveTextContent("nothing came for 24h")
  })
})

describe("storage", () => {
  test("a report names what is damaged and whose it is", async () => {
    server.on("GET /api/storage", () =>
      someStorage({
        report: {
          started: "2026-11-25T08:00:00Z",
          ended: "2026-11-25T08:01:00Z",
          complete: true,
          stopped: false,
          scheduled: false,
          collect: false,
          versions: 100,
          bytes: 5_000_000,
          missing: 0,
          damaged: 1,
          orphans: 0,
          freed: 0,
          findings: [
            {
              fault: "damaged",
              client: { name: "ada", fingerprint: "9f86d081" },
              file: "plan.txt",
              version: 2,
              bytes: 1_000,
              blob: "ab/ab12",
              detail: "the SHA-256 differs",
            },
          ],
        },
      }),
    )
    open("/storage")
    expect(await screen.findByText("1 blob is not what was received")).toBeInTheDocument()
    const [row] = within(screen.getByRole("list", { name: "Findings" })).getAllByRole("listitem")
    expect(row).toHaveTextContent("Damaged")
    expect(row).toHaveTextContent("ada")
    expect(row).toHaveTextContent("version 2: the SHA-256 differs")
  })

  test("a check is started, shows how far it is, and is stopped", async () => {
    const person = userEvent.setup()
    server
      .on("GET /api/storage", () => someStorage())
      .on("POST /api/scrub", () => someStorage().scrub)
      .on("DELETE /api/scrub", () => undefined)
    open("/storage")
    await person.click(await screen.findByLabelText("Remove orphans as well"))
    await person.click(screen.getByRole("button", { name: "Check now" }))
    await live()
    act(() =>
      server.events.send("scrub", {
        ...someStorage().scrub,
        running: true,
        done_bytes: 500,
        total_bytes: 2_000,
      }),
    )
    expect(screen.getByRole("progressbar", { name: "Progress of the check" })).toHaveAttribute(
      "aria-valuenow",
      "25",
    )
    await person.click(screen.getByRole("button", { name: "Stop" }))
    await waitFor(() =>
      expect(server.changes).toEqual(['POST /api/scrub {"collect":true}', "DELETE /api/scrub"]),
    )
  })
})

describe("logs", () => {
  test("are filtered by the server and followed", async () => {
    const person = userEvent.setup()
    const asked: string[] = []
    server.on("GET /api/logs", ({ query }) => {
      asked.push(query.toString())
      return {
        records: [
          {
            id: 1,
            at: "2026-11-25T08:00:00Z",
            level: "info",
            message: "listening",
            attributes: [],
          },
        ],
      }
    })
    open("/logs")
    await live()
    expect(await screen.findByText("listening")).toBeInTheDocument()
    await person.selectOptions(screen.getByLabelText("Level"), "warn")
    await person.type(screen.getByLabelText("Search the text"), "disk")
    await waitFor(() => expect(asked).toContain("level=warn&text=disk"))
    const tail = server.sources.findLast((source) => source.url.startsWith("/api/logs/events"))
    expect(tail?.url).toBe("/api/logs/events?level=warn&text=disk")
    expect(screen.getByRole("link", { name: "Download" })).toHaveAttribute(
      "href",
      "/api/logs/download?level=warn&text=disk",
    )
    act(() =>
      tail?.send("log", {
        id: 2,
        at: "2026-11-25T08:00:01Z",
        level: "warn",
        message: "the disk is full",
        attributes: [{ key: "free", value: "12" }],
      }),
    )
    const record = (await screen.findByText("the disk is full")).closest("li")
    expect(record).toHaveTextContent("free=12")
  })
})

describe("settings", () => {
  beforeEach(() => {
    let ttl = someSetting("session-ttl")
    const list = () => ({
      settings: [
        ttl,
        someSetting("registration", { kind: "switch", value: "true", configured: "true" }),
        someSetting("master-key", { changeable: false, secret: true, value: "set", kind: "text" }),
        someSetting("listen", { changeable: false, value: ":1256", origin: "flag", kind: "text" }),
      ],
      master_key_file: "/data/master.key",
    })
    server.on("GET /api/settings", list).on("PATCH /api/settings", ({ body }) => {
      const { set = {} } = body as { set?: Record<string, string> }
      const value = set["session-ttl"]
      if (value === "never") {
        return new Refusal(422, "session-ttl: must be a duration", "session-ttl")
      }
      ttl = value
        ? { ...ttl, value, origin: "console" }
        : { ...ttl, value: ttl.configured, origin: "default" }
      return list()
    })
  })

  test("one is changed, a wrong value is explained, and it is put back", async () => {
    const person = userEvent.setup()
    open("/settings")
    const field = await screen.findByLabelText("Session TTL")
    const change = "Change: Session TTL"
    expect(screen.queryByRole("button", { name: change })).not.toBeInTheDocument()
    await person.clear(field)
    await person.type(field, "never")
    await person.click(screen.getByRole("button", { name: change }))
    expect(await screen.findByText(/must be a duration/)).toHaveAttribute("role", "alert")
    await person.clear(field)
    await person.type(field, "30m")
    await person.click(screen.getByRole("button", { name: change }))
    expect(await screen.findByText("Changed here")).toBeInTheDocument()
    await person.click(screen.getByRole("button", { name: "Put back: Session TTL" }))
    await waitFor(() => expect(screen.getByLabelText("Session TTL")).toHaveValue("10m"))
    expect(server.changes).toEqual([
      'PATCH /api/settings {"set":{"session-ttl":"never"}}',
      'PATCH /api/settings {"set":{"session-ttl":"30m"}}',
      'PATCH /api/settings {"reset":["session-ttl"]}',
    ])
  })

  test("a switch holds at once", async () => {
    const person = userEvent.setup()
    open("/settings")
    await person.click(await screen.findByLabelText("Registration"))
    await waitFor(() =>
      expect(server.changes).toEqual(['PATCH /api/settings {"set":{"registration":"false"}}']),
    )
  })

  test("secrets are not shown, and the master key is reminded of", async () => {
    open("/settings")
    expect(await screen.findByText("Set; it is a secret")).toBeInTheDocument()
    expect(screen.getByText("/data/master.key")).toBeInTheDocument()
  })

  test("the database is backed up, and a backup removed", async () => {
    const person = userEvent.setup()
    let backups = [{ name: "catalog-1.db", created: "2026-11-25T08:00:00Z", bytes: 40_960 }]
    server
      .on("GET /api/backups", () => ({ backups }))
      .on("POST /api/backups", () => {
        const made = { name: "catalog-2.db", created: "2026-11-25T09:00:00Z", bytes: 40_960 }
        backups = [made, ...backups]
        return made
      })
      .on("DELETE /api/backups/catalog-1.db", () => {
        backups = backups.slice(0, 1)
      })
    open("/settings")
    await person.click(await screen.findByRole("button", { name: "Back up now" }))
    expect(await screen.findByRole("link", { name: "Download: catalog-2.db" })).toHaveAttribute(
      "href",
      "/api/backups/catalog-2.db",
    )
    await person.click(screen.getByRole("button", { name: "Remove: catalog-1.db" }))
    await person.click(await screen.findByRole("button", { name: "Remove" }))
    await waitFor(() =>
      expect(screen.queryByRole("link", { name: "Download: catalog-1.db" })).toBeNull(),
    )
  })
})

test("the doctor lays a failed request out field by field", async () => {
  const person = userEvent.setup()
  server.on("GET /api/failures", () => ({
    failures: [
      {
        at: "2026-11-25T08:00:00Z",
        peer: "10.0.0.9:4711",
        requests_before: 2,
        request: "1028 (packet)",
        reason: "the packet number is 0",
        rule: "packets are counted from 1",
        usually: "the client counts from 0",
        fields: [{ offset: 16, bytes: "03", meaning: "version 3" }],
      },
    ],
  }))
  open("/doctor")
  await person.click(await screen.findByRole("button", { name: /1028 \(packet\)/ }))
  await waitFor(() => expect(screen.getByText("the client counts from 0")).toBeVisible())
  expect(screen.getByRole("row", { name: /version 3/ })).toHaveTextContent("16")
})
