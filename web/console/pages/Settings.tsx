import {
  Alert,
  Badge,
  Button,
  Code,
  Group,
  NativeSelect,
  Switch,
  Text,
  TextInput,
} from "@mantine/core"
import { notifications } from "@mantine/notifications"
import {
  IconDatabaseExport,
  IconDownload,
  IconKey,
  IconRotate,
  IconTrash,
} from "@tabler/icons-react"
import { useQueryClient } from "@tanstack/react-query"
import { type FormEvent, useRef, useState } from "react"
import { Appearance } from "../../shared/components/Appearance"
import { Page } from "../../shared/components/Page"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { RowAction } from "../../shared/components/RowAction"
import { Section } from "../../shared/components/Section"
import { SettingRow } from "../../shared/components/SettingRow"
import { useFormat } from "../../shared/hooks/preferences"
import { useAction } from "../../shared/hooks/useAction"
import type { Backup, Setting } from "../api/client"
import { useConsole } from "../app/console"
import { useBackups, useSettings } from "../app/queries"
import { Age } from "../components/Age"
import { Confirm } from "../components/Confirm"
import { Empty, Waiting } from "../components/Empty"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Settings.module.css"

export function Settings() {
  const settings = useSettings()
  const all = settings.data?.settings
  const changeable = all?.filter((setting) => setting.changeable)
  const fixed = all?.filter((setting) => !setting.changeable)
  return (
    <Page title="Settings" description="The server’s settings, and where each value comes from.">
      <div className="stack">
        <QueryProblem query={settings} />
        <Section
          title="Changeable while running"
          description="Changes take effect at once and are saved. They override flags and environment variables after a restart. Each change is in the activity list."
        >
          {changeable ? (
            changeable.map((setting) => (
              // What is typed belongs to the value that it was typed over.
              <Changeable key={`${setting.name}\0${setting.value}`} setting={setting} />
            ))
          ) : (
            <Waiting rows={6} />
          )}
        </Section>
        <Backups masterKeyFile={settings.data?.master_key_file} />
        <Section
          title="Set at start"
          description="To change these, set the flag or variable and restart."
        >
          {fixed ? (
            fixed.map((setting) => <Fixed key={setting.name} setting={setting} />)
          ) : (
            <Waiting rows={6} />
          )}
        </Section>
        <Appearance />
      </div>
    </Page>
  )
}

const origins: Record<Setting["origin"], string> = {
  default: "Default",
  flag: "By flag",
  environment: "By environment",
  console: "Changed here",
}

function Origin(props: { origin: Setting["origin"] }) {
  return (
    <Badge
      component="span"
      variant={props.origin === "console" ? "light" : "default"}
      size="sm"
      tt="none"
      fw={500}
      className={classes.origin}
    >
      {origins[props.origin]}
    </Badge>
  )
}

function Changeable(props: { setting: Setting }) {
  const { setting } = props
  const { api } = useConsole()
  const queries = useQueryClient()
  const [value, setValue] = useState(setting.value)
  // What the action is to set: a switch is thrown before its new value is drawn.
  const wanted = useRef(setting.value)

  const change = useAction(async () => {
    const words = wanted.current.trim()
    queries.setQueryData(["settings"], await api.changeSettings({ set: { [setting.name]: words } }))
    notifications.show({
      color: "green",
      title: "Changed",
      message: `${title(setting)} is ${words} from now on.`,
    })
  })
  const reset = useAction(async () => {
    queries.setQueryData(["settings"], await api.changeSettings({ reset: [setting.name] }))
    notifications.show({
      color: "green",
      title: "Put back",
      message: `${title(setting)} is ${setting.configured} again.`,
    })
  })
  const problem = change.problem ?? reset.problem

  function submit(event: FormEvent) {
    event.preventDefault()
    changeTo(value)
  }

  function changeTo(next: string) {
    wanted.current = next
    setValue(next)
    change.run()
  }

  const id = `setting-${setting.name}`
  return (
    <SettingRow
      id={id}
      title={title(setting)}
      description={
        <>
          {setting.help}
          <span className={classes.under}>
            <Origin origin={setting.origin} />
            {setting.origin === "console" && (
              <>
                <span>configured: {setting.configured || "empty"}</span>
                <Button
                  variant="subtle"
                  size="compact-xs"
                  leftSection={<IconRotate size={14} aria-hidden />}
                  loading={reset.busy}
                  aria-label={`Put back: ${title(setting)}`}
                  onClick={reset.run}
                >
                  Put back
                </Button>
              </>
            )}
          </span>
          {problem && (
            <Text component="span" size="sm" c="var(--mantine-color-error)" role="alert">
              {problem.message} {problem.advice}
            </Text>
          )}
        </>
      }
    >
      {setting.kind === "switch" ? (
        <Switch
          id={id}
          checked={value === "true"}
          disabled={change.busy}
          onChange={(e) => changeTo(String(e.currentTarget.checked))}
        />
      ) : setting.kind === "choice" ? (
        <NativeSelect
          id={id}
          value={value}
          disabled={change.busy}
          onChange={(e) => changeTo(e.currentTarget.value)}
          data={setting.choices ?? [setting.value]}
        />
      ) : (
        <form onSubmit={submit}>
          <Group gap="xs" wrap="nowrap">
            <TextInput
              id={id}
              className={classes.value}
              value={value}
              inputMode={setting.kind === "count" ? "numeric" : undefined}
              autoComplete="off"
              spellCheck={false}
              error={problem !== undefined}
              onChange={(e) => {
                setValue(e.currentTarget.value)
                change.clear()
              }}
            />
            {value.trim() !== setting.value && (
              <Button type="submit" loading={change.busy} aria-label={`Change: ${title(setting)}`}>
                Change
              </Button>
            )}
          </Group>
        </form>
      )}
    </SettingRow>
  )
}

/** "session-ttl" as people write it. */
function title(setting: Setting): string {
  const words = setting.name
    .split("-")
    .map((word) => (["ttl", "tls"].includes(word) ? word.toUpperCase() : word))
    .join(" ")
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}

/** What needs a restart to be another. */
function Fixed(props: { setting: Setting }) {
  const { setting } = props
  return (
    <SettingRow
      title={
        <Code title={setting.variable} className={classes.flag}>
          --{setting.name}
        </Code>
      }
      description={
        <>
          {setting.help}
          <span className={classes.under}>
            <Origin origin={setting.origin} />
          </span>
        </>
      }
    >
      <span className={classes.fixedValue} data-empty={!setting.value || undefined}>
        {setting.secret
          ? setting.value
            ? "Set; it is a secret"
            : "Not set"
          : setting.value || "Empty"}
      </span>
    </SettingRow>
  )
}

function Backups(props: { masterKeyFile: string | undefined }) {
  const { api } = useConsole()
  const queries = useQueryClient()
  const backups = useBackups()
  const format = useFormat()
  const [removing, setRemoving] = useState<Backup>()
  const fresh = () => queries.invalidateQueries({ queryKey: ["backups"] })
  const create = useAction(async () => {
    const backup = await api.createBackup()
    await fresh()
    notifications.show({
      color: "green",
      title: "The database is backed up",
      message: `${backup.name}, ${format.bytes(backup.bytes)}. Download it to keep it elsewhere.`,
    })
  })
  const list = backups.data?.backups
  return (
    <Section
      flush
      title="Database backups"
      description="The catalog: which accounts exist, and which blob belongs to which file. It does not contain the blobs, which are in received_files."
      actions={
        <Button
          leftSection={<IconDatabaseExport size={17} aria-hidden />}
          loading={create.busy}
          onClick={create.run}
        >
          Back up now
        </Button>
      }
    >
      <div className={classes.reminder}>
        <Alert
          color="orange"
          variant="light"
          role="note"
          classNames={{ title: classes.reminderTitle }}
          icon={<IconKey aria-hidden />}
          title="Keep a copy of the master key"
        >
          <Text size="sm">
            {props.masterKeyFile ? (
              <>
                It is in <Code>{props.masterKeyFile}</Code>.
              </>
            ) : (
              "It comes by the environment."
            )}{" "}
            Session keys in the database are sealed with it, and no backup made here has it. Keep it
            apart from the backups: together they are worth more to a thief.
          </Text>
        </Alert>
        {create.problem && <ProblemAlert problem={create.problem} />}
        <QueryProblem query={backups} />
      </div>
      {!list ? (
        !backups.problem && <Waiting rows={2} />
      ) : list.length === 0 ? (
        <Empty
          icon={IconDatabaseExport}
          title="There is no backup yet"
          description="A backup is made while the server runs, and stays in the data folder until you remove it."
        />
      ) : (
        <ul className="rows">
          {list.map((backup) => (
            <li key={backup.name} className={classes.backup}>
              <span className={classes.backupName}>{backup.name}</span>
              <span className={classes.backupSize}>{format.bytes(backup.bytes)}</span>
              <Age at={backup.created} className={classes.backupAge} />
              <Button
                component="a"
                href={`/api/backups/${encodeURIComponent(backup.name)}`}
                download={backup.name}
                variant="subtle"
                size="compact-sm"
                leftSection={<IconDownload size={15} aria-hidden />}
                aria-label={`Download: ${backup.name}`}
              >
                Download
              </Button>
              <RowAction
                icon={IconTrash}
                label="Remove"
                subject={backup.name}
                onClick={() => setRemoving(backup)}
              />
            </li>
          ))}
        </ul>
      )}
      <Confirm
        opened={removing !== undefined}
        title="Remove this backup?"
        keep="Keep it"
        action="Remove"
        onClose={() => setRemoving(undefined)}
        onConfirm={async () => {
          if (!removing) return
          await api.removeBackup(removing.name)
          await fresh()
        }}
      >
        <b>{removing?.name}</b> goes from the server’s data folder. Copies that you have downloaded
        stay.
      </Confirm>
    </Section>
  )
}
