import { ActionIcon, Alert, Group, Text, Tooltip, useMantineColorScheme } from "@mantine/core"
import { notifications } from "@mantine/notifications"
import {
  IconActivity,
  IconArrowsUpDown,
  IconDatabase,
  IconLayoutDashboard,
  IconLogout,
  IconMoon,
  IconPlugConnectedX,
  IconSettings,
  IconStethoscope,
  IconSun,
  IconTerminal2,
  IconUsers,
} from "@tabler/icons-react"
import { Outlet, useRouter } from "@tanstack/react-router"
import { useEffect } from "react"
import { type Place, Shell } from "../../shared/components/Shell"
import { StatusDot } from "../../shared/components/StatusDot"
import { useAction } from "../../shared/hooks/useAction"
import { afterPaint, loadPages } from "../../shared/lazyPage"
import { useConsole, useLive } from "./console"
import classes from "./Layout.module.css"
import { useServerHealth } from "./queries"

const places: readonly Place[] = [
  { to: "/", label: "Dashboard", icon: IconLayoutDashboard },
  { to: "/clients", label: "Clients", icon: IconUsers },
  { to: "/transfers", label: "Transfers", icon: IconArrowsUpDown },
  { to: "/storage", label: "Storage", icon: IconDatabase },
  { to: "/activity", label: "Activity", icon: IconActivity },
  { to: "/logs", label: "Logs", icon: IconTerminal2 },
  { to: "/doctor", label: "Doctor", icon: IconStethoscope },
  { to: "/settings", label: "Settings", icon: IconSettings },
]

/** What surrounds every page of somebody signed in. */
export function Layout() {
  const uploads = useLive((live) => live.stats?.uploads ?? 0)
  const away = useLive((live) => live.state === "away")
  const old = useLive((live) => live.state !== "live" && live.stats !== undefined)
  const router = useRouter()
  useEffect(() => afterPaint(() => void loadPages(router)), [router])
  return (
    <Shell
      name="Coffer console"
      places={places.map((place) =>
        place.to === "/transfers" ? { ...place, active: uploads } : place,
      )}
      foot={
        <>
          <ServerIndicator />
          <Controls />
        </>
      }
    >
      {away && <Away />}
      <div className={classes.content} data-old={away || old || undefined}>
        <Outlet />
      </div>
    </Shell>
  )
}

/** Nobody may take figures of the past for those of now. */
function Away() {
  const at = useLive((live) => live.stats?.at)
  const since = at && new Date(at).toLocaleTimeString()
  return (
    <Alert
      className={classes.away}
      classNames={{ title: classes.awayTitle }}
      color="orange"
      variant="light"
      icon={<IconPlugConnectedX aria-hidden />}
      title="The server does not answer"
    >
      <Text size="sm">
        {since
          ? `Everything below is of ${since} and may have changed since.`
          : "Nothing has been received from it yet."}{" "}
        This page tries again by itself. If this continues, check that coffer-server is running.
      </Text>
    </Alert>
  )
}

function ServerIndicator() {
  const health = useServerHealth()
  return (
    <Tooltip label={health.explanation} multiline maw={260}>
      <div className={classes.server}>
        <StatusDot tone={health.tone} size="xs">
          <span className={classes.serverText}>{health.title}</span>
        </StatusDot>
      </div>
    </Tooltip>
  )
}

function Controls() {
  const { signOut } = useConsole()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const dark =
    colorScheme === "dark" ||
    (colorScheme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches)
  const leave = useAction(async () => {
    try {
      await signOut()
    } catch (error) {
      notifications.show({
        color: "red",
        title: "Not signed out",
        message: "The server does not answer. Try it again when it is back.",
      })
      throw error
    }
  })
  return (
    <Group className={classes.controls} gap={4} wrap="nowrap">
      <Tooltip label={dark ? "Light" : "Dark"}>
        <ActionIcon
          variant="subtle"
          color="gray"
          c="dimmed"
          size="lg"
          aria-label={dark ? "Light theme" : "Dark theme"}
          onClick={() => setColorScheme(dark ? "light" : "dark")}
        >
          {dark ? <IconSun size={19} aria-hidden /> : <IconMoon size={19} aria-hidden />}
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Sign out">
        <ActionIcon
          variant="subtle"
          color="gray"
          c="dimmed"
          size="lg"
          aria-label="Sign out"
          loading={leave.busy}
          onClick={leave.run}
        >
          <IconLogout size={19} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </Group>
  )
}
