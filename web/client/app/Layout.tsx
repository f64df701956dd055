import {
  Avatar,
  Button,
  Group,
  Menu,
  Modal,
  Text,
  Tooltip,
  UnstyledButton,
  VisuallyHidden,
} from "@mantine/core"
import { notifications } from "@mantine/notifications"
import {
  IconArrowsUpDown,
  IconFiles,
  IconKey,
  IconLayoutDashboard,
  IconLogout,
  IconSelector,
  IconSettings,
} from "@tabler/icons-react"
import { Outlet, useNavigate } from "@tanstack/react-router"
import { useEffect, useState } from "react"
import { Shell } from "../../shared/components/Shell"
import { StatusDot } from "../../shared/components/StatusDot"
import { toProblem } from "../../shared/problem"
import { DropEverywhere } from "../components/DropEverywhere"
import { useEngine, useQueue, useRestores, useSession } from "./engine"
import classes from "./Layout.module.css"
import { pickedFromDrop } from "./picking"
import { useServerState } from "./queries"
import { RestoreQuestion } from "./RestoreQuestion"
import { useAnnouncements } from "./useAnnouncements"
import { useRecoveryFile } from "./useRecoveryFile"

const places = [
  { to: "/", label: "Dashboard", icon: IconLayoutDashboard },
  { to: "/transfers", label: "Transfers", icon: IconArrowsUpDown },
  { to: "/files", label: "Files", icon: IconFiles },
  { to: "/settings", label: "Settings", icon: IconSettings },
] as const

/** What surrounds every page of somebody signed in. */
export function Layout() {
  const { queue } = useEngine()
  const navigate = useNavigate()
  const active = useActive()
  useAskBeforeLeaving(active)
  useAnnouncements()

  async function drop(data: DataTransfer) {
    try {
      const picked = await pickedFromDrop(data)
      if (picked.length === 0) return
      queue.add(picked)
      await navigate({ to: "/transfers" })
    } catch (error) {
      const problem = toProblem(error)
      notifications.show({ color: "red", title: problem.title, message: problem.advice })
    }
  }

  return (
    <>
      <Shell
        name="Coffer"
        places={places.map((place) => (place.to === "/transfers" ? { ...place, active } : place))}
        foot={
          <>
            <ServerIndicator />
            <AccountMenu />
          </>
        }
      >
        <RestoreQuestion>
          <Outlet />
        </RestoreQuestion>
      </Shell>
      <DropEverywhere message="Drop to back up" onDrop={drop} />
    </>
  )
}

/** How many transfers are under way, both ways. */
function useActive(): number {
  const { transfers } = useQueue()
  const restores = useRestores()
  return (
    transfers.filter((t) => ["waiting", "sealing", "sending", "verifying"].includes(t.state))
      .length + restores.filter((r) => r.state === "receiving" || r.state === "checking").length
  )
}

/** A tab with transfers under way asks before it goes. */
function useAskBeforeLeaving(active: number) {
  const busy = active > 0
  useEffect(() => {
    if (!busy) return
    const ask = (event: BeforeUnloadEvent) => event.preventDefault()
    window.addEventListener("beforeunload", ask)
    return () => window.removeEventListener("beforeunload", ask)
  }, [busy])
}

function ServerIndicator() {
  const server = useServerState()
  return (
    <Tooltip label={server.explanation} multiline maw={260}>
      <div className={classes.server} role="status">
        <StatusDot tone={server.tone} size="xs">
          <span className={classes.serverText}>{server.title}</span>
        </StatusDot>
      </div>
    </Tooltip>
  )
}

function AccountMenu() {
  const { session } = useEngine()
  const state = useSession()
  const recovery = useRecoveryFile()
  const navigate = useNavigate()
  const active = useActive()
  const [asking, setAsking] = useState(false)
  useEffect(() => {
    if (!recovery.problem) return
    const { title, message, advice } = recovery.problem
    notifications.show({ color: "red", title, message: `${message} ${advice}` })
  }, [recovery.problem])
  if (state.state === "signed-out") return null

  async function signOut() {
    setAsking(false)
    await session.signOut()
    await navigate({ to: "/" })
  }

  return (
    <>
      <Modal opened={asking} onClose={() => setAsking(false)} title="Sign out now?">
        <Text size="sm">
          {active === 1 ? "One transfer is" : `${active} transfers are`} not finished. What was sent
          stays at the server for a while: sign in again, choose the same files, and only the rest
          is sent.
        </Text>
        <Group justify="flex-end" gap="xs" mt="lg">
          <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
            Stay
          </Button>
          <Button onClick={signOut}>Sign out</Button>
        </Group>
      </Modal>
      <Menu position="top-start" width={220} withinPortal>
        <Menu.Target>
          <UnstyledButton className={classes.account}>
            <Avatar size={32} radius="xl" color="petrol" variant="filled" aria-hidden>
              {state.username.slice(0, 1).toUpperCase()}
            </Avatar>
            <Text size="sm" fw={500} truncate className={classes.who}>
              {state.username}
            </Text>
            <VisuallyHidden>Account menu</VisuallyHidden>
            <IconSelector size={16} className={classes.chevron} aria-hidden />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Signed in as {state.username}</Menu.Label>
          <Menu.Item
            leftSection={<IconSettings size={16} aria-hidden />}
            onClick={() => navigate({ to: "/settings" })}
          >
            Settings
          </Menu.Item>
          <Menu.Item leftSection={<IconKey size={16} aria-hidden />} onClick={recovery.run}>
            Save recovery file
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            leftSection={<IconLogout size={16} aria-hidden />}
            onClick={() => (active > 0 ? setAsking(true) : signOut())}
          >
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  )
}
