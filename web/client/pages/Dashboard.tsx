import {
  Alert,
  Anchor,
  Button,
  DataList,
  EmptyState,
  Paper,
  Progress,
  SimpleGrid,
  Skeleton,
  Text,
} from "@mantine/core"
import { IconDownload, IconHistory } from "@tabler/icons-react"
import { Link, useNavigate } from "@tanstack/react-router"
import { FileName } from "../../shared/components/FileName"
import { Page } from "../../shared/components/Page"
import { Parts } from "../../shared/components/Parts"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { Section } from "../../shared/components/Section"
import { Stat } from "../../shared/components/Stat"
import { StatusDot } from "../../shared/components/StatusDot"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useEngine, useQueue } from "../app/engine"
import { pickedFromList } from "../app/picking"
import { useAccount, useFiles, useServerState } from "../app/queries"
import { useRecoveryFile } from "../app/useRecoveryFile"
import { FilePicker } from "../components/FilePicker"
import { SealMarks } from "../components/SealMark"
import type { FileEntry } from "../engine/types"
import classes from "./Dashboard.module.css"

export function Dashboard() {
  const { queue } = useEngine()
  const navigate = useNavigate()
  const format = useFormat()
  const account = useAccount()
  const files = useFiles()

  const recent = [...(files.data ?? [])]
    .sort((a, b) => Date.parse(b.created) - Date.parse(a.created))
    .slice(0, 7)
  const last = recent[0]

  function choose(list: FileList | null) {
    const picked = pickedFromList(list)
    if (picked.length === 0) return
    queue.add(picked)
    navigate({ to: "/transfers" })
  }

  return (
    <Page title="Dashboard">
      <div className="stack">
        {account.problem && (
          <ProblemAlert
            problem={account.problem}
            action={
              <Button size="xs" variant="default" onClick={() => account.refetch()}>
                Try again
              </Button>
            }
          />
        )}
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="md">
          <Stat label="Files" value={account.data && format.number(account.data.files)} />
          <Stat label="Versions" value={account.data && format.number(account.data.versions)} />
          <Stat label="Storage used" value={account.data && format.bytes(account.data.bytes)} />
          <Stat
            label="Last backup"
            value={files.data && (last ? format.age(new Date(last.created)) : "None yet")}
          />
        </SimpleGrid>

        <Running />

        <FilePicker
          title={files.data?.length === 0 ? "Back up your first files" : "Back up more"}
          hint="Drop files or folders anywhere on this page, or choose them."
          touchHint="They are sealed before they leave this browser."
          compact={files.data?.length !== 0}
          onChoose={choose}
        />

        <div className={classes.columns}>
          <Section
            flush
            title="Recent activity"
            actions={
              recent.length > 0 && (
                <Anchor component={Link} to="/files" size="sm">
                  All files
                </Anchor>
              )
            }
          >
            {files.problem ? (
              <Text size="sm" c="dimmed" px="lg" pb="lg">
                {files.problem.message} {files.problem.advice}
              </Text>
            ) : files.isPending ? (
              <Skeleton height={120} m="lg" w="auto" />
            ) : recent.length === 0 ? (
              <EmptyState
                py="xl"
                px="lg"
                icon={<IconHistory stroke={1.5} aria-hidden />}
                title="No backups yet"
                description="Backups from this page and from the command line are listed here."
              />
            ) : (
              <ul className="rows">
                {recent.map((file) => (
                  <Recent key={file.filename} file={file} />
                ))}
              </ul>
            )}
          </Section>
          <div className="stack">
            <Server />
            <Keys />
          </div>
        </div>
      </div>
    </Page>
  )
}

/** What is being sent at the moment. */
function Running() {
  const { overall } = useQueue()
  const format = useFormat()
  if (overall.active === 0) return null
  const percent = overall.size > 0 ? (100 * overall.sent) / overall.size : 0
  return (
    <Paper component={Link} to="/transfers" className={classes.running}>
      <div className={classes.runningWords}>
        <Text fw={600}>Backing up {format.count(overall.active, "file", "files")}</Text>
        <Text size="sm" c="dimmed">
          <Parts
            parts={[
              `${format.bytes(overall.sent)} of ${format.bytes(overall.size)}`,
              overall.rate > 0 && format.rate(overall.rate),
              overall.secondsLeft !== undefined && `${formatDuration(overall.secondsLeft)} left`,
            ]}
          />
        </Text>
      </div>
      <Progress.Root size={7}>
        <Progress.Section value={percent} aria-label="Progress of all files" />
      </Progress.Root>
    </Paper>
  )
}

function Recent(props: { file: FileEntry }) {
  const { file } = props
  const format = useFormat()
  const created = new Date(file.created)
  return (
    <li>
      <Link to="/files" search={{ file: file.filename }} className={classes.recent}>
        <span className={classes.recentName}>
          <FileName name={file.filename} />
          <SealMarks file={file} />
        </span>
        <span className={classes.recentSize}>{format.bytes(file.original_size)}</span>
        <time className={classes.recentAge} dateTime={file.created} title={format.date(created)}>
          {format.age(created)}
        </time>
      </Link>
    </li>
  )
}

function Server() {
  const server = useServerState()
  const format = useFormat()
  return (
    <Section title="Server">
      <StatusDot tone={server.tone}>{server.title}</StatusDot>
      <Text size="sm" c="dimmed" mt={4}>
        {server.explanation}
      </Text>
      {server.status && (
        <DataList size="sm" gap={6} labelWidth="6.5rem" mt="md">
          <Fact label="Database" value={capital(server.status.database)} />
          <Fact label="Storage" value={capital(server.status.storage)} />
          {server.status.started && (
            <Fact label="Running since" value={format.date(new Date(server.status.started))} />
          )}
          {server.status.version && <Fact label="Version" value={server.status.version} />}
        </DataList>
      )}
    </Section>
  )
}

function Fact(props: { label: string; value: string }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{props.label}</DataList.ItemLabel>
      <DataList.ItemValue>{props.value}</DataList.ItemValue>
    </DataList.Item>
  )
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function Keys() {
  const recovery = useRecoveryFile()
  const format = useFormat()
  return (
    <Section title="Your keys">
      {recovery.savedAt ? (
        <Text size="sm" c="dimmed">
          You saved the recovery file {format.age(recovery.savedAt)}. With it and your passphrase
          your files can be opened, whatever happens to this browser.
        </Text>
      ) : (
        <>
          <Text size="sm" c="dimmed" mb="sm">
            You have not saved the recovery file in this browser yet. Without it, keys that the
            server loses are lost.
          </Text>
          <Button
            size="xs"
            variant="light"
            leftSection={<IconDownload size={16} aria-hidden />}
            loading={recovery.busy}
            onClick={recovery.run}
          >
            Save recovery file
          </Button>
        </>
      )}
      {recovery.problem && (
        <Alert color="red" mt="sm" title={recovery.problem.title}>
          {recovery.problem.advice}
        </Alert>
      )}
    </Section>
  )
}
