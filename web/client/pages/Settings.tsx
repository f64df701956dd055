import { Button, Group, Modal, NativeSelect, Stack, Switch, Text, TextInput } from "@mantine/core"
import { notifications } from "@mantine/notifications"
import { IconDownload } from "@tabler/icons-react"
import { useNavigate } from "@tanstack/react-router"
import { type FormEvent, useState } from "react"
import { Appearance } from "../../shared/components/Appearance"
import { Page } from "../../shared/components/Page"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { Section } from "../../shared/components/Section"
import { SettingRow } from "../../shared/components/SettingRow"
import { useFormat } from "../../shared/hooks/preferences"
import { useAction } from "../../shared/hooks/useAction"
import { useEngine, useSession, useSettings } from "../app/engine"
import { useAccount } from "../app/queries"
import { useRecoveryFile } from "../app/useRecoveryFile"
import { NewPassphrase, useNewPassphrase } from "../components/NewPassphrase"
import classes from "./Settings.module.css"

const MiB = 1024 * 1024

export function Settings() {
  return (
    <Page title="Settings">
      <div className={classes.column}>
        <Backups />
        <Appearance />
        <Keys />
        <Account />
      </div>
    </Page>
  )
}

function Backups() {
  const [settings, change] = useSettings()
  return (
    <Section title="Backups" description="These apply to files that you add from now on.">
      <SettingRow
        id="sealing"
        title="Seal files"
        description="Encrypts files so that only your keys can open them; the server cannot. Leave this on unless a client that cannot unseal must read them."
      >
        <Switch
          id="sealing"
          checked={settings.seal}
          onChange={(e) => change({ seal: e.currentTarget.checked })}
        />
      </SettingRow>
      <SettingRow
        id="packet-size"
        title="Packet size"
        description="Smaller packets lose less when a connection breaks. Larger ones are slightly faster."
      >
        <NativeSelect
          id="packet-size"
          value={settings.packetSize}
          onChange={(e) => change({ packetSize: Number(e.currentTarget.value) })}
          data={[1, 2, 4, 8, 16].map((n) => ({ value: String(n * MiB), label: `${n} MiB` }))}
        />
      </SettingRow>
      <SettingRow
        id="parallel"
        title="Packets at once"
        description="How many packets are sent at the same time."
      >
        <NativeSelect
          id="parallel"
          value={settings.parallel}
          onChange={(e) => change({ parallel: Number(e.currentTarget.value) })}
          data={[1, 2, 3, 4, 6, 8].map(String)}
        />
      </SettingRow>
    </Section>
  )
}

function Keys() {
  const recovery = useRecoveryFile()
  const format = useFormat()
  const [changing, setChanging] = useState(false)
  return (
    <Section title="Keys and passphrase">
      <SettingRow
        title="Recovery file"
        description={
          <>
            Your keys, encrypted with your passphrase. Keep a copy away from this computer.{" "}
            {recovery.savedAt
              ? `Last saved from this browser ${format.age(recovery.savedAt)}.`
              : "Not saved from this browser yet."}
          </>
        }
      >
        <Button
          variant="default"
          leftSection={<IconDownload size={17} aria-hidden />}
          loading={recovery.busy}
          onClick={recovery.run}
        >
          Save
        </Button>
      </SettingRow>
      {recovery.problem && <ProblemAlert problem={recovery.problem} />}
      <SettingRow
        title="Passphrase"
        description="Changing it signs out your other browsers and command lines. Recovery files saved before keep their old passphrase."
      >
        <Button variant="default" onClick={() => setChanging(true)}>
          Change
        </Button>
      </SettingRow>
      <Modal opened={changing} onClose={() => setChanging(false)} title="Change your passphrase">
        <ChangePassphrase onDone={() => setChanging(false)} />
      </Modal>
    </Section>
  )
}

function ChangePassphrase(props: { onDone: () => void }) {
  const { session } = useEngine()
  const state = useSession()
  const username = state.state === "signed-out" ? "" : state.username
  const recovery = useRecoveryFile()
  const [current, setCurrent] = useState("")
  const next = useNewPassphrase([username])
  const change = useAction(async () => {
    if (!(await next.check())) return
    await session.changePassphrase(current, next.value)
    recovery.forget()
    notifications.show({
      color: "green",
      title: "The passphrase is changed",
      message: "Save a new recovery file: the old one opens with the old passphrase only.",
      autoClose: 12_000,
    })
    props.onDone()
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    change.run()
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {change.problem && <ProblemAlert problem={change.problem} />}
        <PassphraseField
          label="Current passphrase"
          autoComplete="current-password"
          required
          withAsterisk={false}
          data-autofocus
          value={current}
          onChange={(e) => setCurrent(e.currentTarget.value)}
        />
        <NewPassphrase form={next} label="New passphrase" />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={props.onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={change.busy}>
            Change passphrase
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Account() {
  const { session } = useEngine()
  const state = useSession()
  const account = useAccount()
  const format = useFormat()
  const navigate = useNavigate()
  const [deleting, setDeleting] = useState(false)
  const signOutEverywhere = useAction(async () => {
    await session.signOut(true)
    await navigate({ to: "/" })
  })
  const username = state.state === "signed-out" ? "" : state.username

  return (
    <Section
      title="Account"
      description={
        account.data &&
        `${username}, since ${format.date(new Date(account.data.created))}. ${format.count(account.data.files, "file", "files")} in ${format.count(account.data.versions, "version", "versions")}, ${format.bytes(account.data.bytes)}.`
      }
    >
      {signOutEverywhere.problem && <ProblemAlert problem={signOutEverywhere.problem} />}
      <SettingRow
        title="Sign out everywhere"
        description="Ends every session of this account, including this one. Your files stay."
      >
        <Button variant="default" loading={signOutEverywhere.busy} onClick={signOutEverywhere.run}>
          Sign out everywhere
        </Button>
      </SettingRow>
      <SettingRow
        title="Delete this account"
        description="Removes the account, its keys and every file from the server. This cannot be undone."
      >
        <Button variant="light" color="red" onClick={() => setDeleting(true)}>
          Delete account
        </Button>
      </SettingRow>
      <Modal opened={deleting} onClose={() => setDeleting(false)} title="Delete this account?">
        <DeleteAccount
          username={username}
          files={account.data?.files}
          onClose={() => setDeleting(false)}
        />
      </Modal>
    </Section>
  )
}

function DeleteAccount(props: {
  username: string
  files: number | undefined
  onClose: () => void
}) {
  const { session } = useEngine()
  const navigate = useNavigate()
  const format = useFormat()
  const [name, setName] = useState("")
  const [passphrase, setPassphrase] = useState("")
  const remove = useAction(async () => {
    await session.removeAccount(passphrase)
    await navigate({ to: "/" })
    notifications.show({
      title: "The account is deleted",
      message: `${props.username} and all its files are gone from the server.`,
    })
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    if (name === props.username) remove.run()
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm">
          {props.files
            ? `${format.count(props.files, "file", "files")} with all versions, the keys and the account itself go from the server.`
            : "The keys and the account itself go from the server."}{" "}
          Nobody can bring them back.
        </Text>
        {remove.problem && <ProblemAlert problem={remove.problem} />}
        <TextInput
          label={
            <>
              Type <b>{props.username}</b> to confirm
            </>
          }
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <PassphraseField
          label="Passphrase"
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={passphrase}
          onChange={(e) => setPassphrase(e.currentTarget.value)}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={props.onClose}>
            Keep the account
          </Button>
          <Button
            type="submit"
            color="red.9"
            loading={remove.busy}
            disabled={name !== props.username || passphrase === ""}
          >
            Delete for good
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
