import {
  Button,
  EmptyState,
  Group,
  NativeSelect,
  Pagination,
  Paper,
  Skeleton,
  Table,
  Text,
  UnstyledButton,
  VisuallyHidden,
} from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import {
  IconCircleCheckFilled,
  IconDownload,
  IconFile,
  IconFiles,
  IconFileZip,
  IconSearch,
  IconSearchOff,
  IconTrash,
} from "@tabler/icons-react"
import { Link, useNavigate, useSearch } from "@tanstack/react-router"
import { useDeferredValue, useMemo, useState } from "react"
import { ClearableInput } from "../../shared/components/ClearableInput"
import { FileName } from "../../shared/components/FileName"
import { Page } from "../../shared/components/Page"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { RowAction } from "../../shared/components/RowAction"
import { type Sort, SortHeading } from "../../shared/components/SortHeading"
import tables from "../../shared/components/Table.module.css"
import { useFormat } from "../../shared/hooks/preferences"
import { useFiles } from "../app/queries"
import { useStartRestore } from "../app/useStartRestore"
import { SealMarks } from "../components/SealMark"
import { isFolder, isSnapshot } from "../engine/format"
import type { FileEntry } from "../engine/types"
import { DeleteFile } from "./DeleteFile"
import { FileDetails } from "./FileDetails"
import classes from "./Files.module.css"

const perPage = 50

type Column = "name" | "size" | "version" | "created"

export function Files() {
  const files = useFiles()
  const format = useFormat()
  const startRestore = useStartRestore()
  const navigate = useNavigate()
  const { file: opened } = useSearch({ from: "/framed/files" })

  const [typed, setTyped] = useState("")
  const [search] = useDebouncedValue(typed, 120)
  const [sort, setSort] = useState<Sort<Column>>({ by: "created", descending: true })
  const [page, setPage] = useState(1)
  const [deleting, setDeleting] = useState<FileEntry>()

  const matching = useMemo(
    () => sorted(searched(files.data ?? [], search), sort),
    [files.data, search, sort],
  )
  const rows = useDeferredValue(matching)
  const pages = Math.max(1, Math.ceil(rows.length / perPage))
  const from = (Math.min(page, pages) - 1) * perPage
  const onPage = rows.slice(from, from + perPage)

  const open = (name: string | undefined) =>
    navigate({ to: "/files", search: name === undefined ? {} : { file: name } })

  function sortBy(by: Column) {
    setPage(1)
    setSort((now) => ({ by, descending: now.by === by ? !now.descending : by !== "name" }))
  }

  const loading = files.isPending
  const empty = !loading && !files.problem && files.data?.length === 0

  return (
    <Page
      title="Files"
      description={
        files.data && files.data.length > 0
          ? `${format.count(files.data.length, "file", "files")}, ${format.bytes(files.data.reduce((sum, f) => sum + f.original_size, 0))} in their newest versions.`
          : undefined
      }
    >
      <div className="stack">
        {files.problem && (
          <ProblemAlert
            problem={files.problem}
            action={
              <Button size="xs" variant="default" onClick={() => files.refetch()}>
                Try again
              </Button>
            }
          />
        )}
        {empty && (
          <Paper>
            <EmptyState
              py={56}
              px="lg"
              icon={<IconFiles stroke={1.5} aria-hidden />}
              title="Nothing is backed up yet"
              description="Files appear here once the server has verified them: from this page, from the coffer command line, or from any other client of your account."
            >
              <EmptyState.Actions>
                <Button component={Link} to="/transfers">
                  Back up files
                </Button>
              </EmptyState.Actions>
            </EmptyState>
          </Paper>
        )}
        {!empty && !(files.problem && !files.data) && (
          <Paper className={tables.card}>
            <Group className={tables.tools} justify="space-between">
              <ClearableInput
                className={tables.search}
                aria-label="Search by name"
                placeholder="Search by name"
                leftSection={<IconSearch size={17} aria-hidden />}
                clearLabel="Clear the search"
                value={typed}
                onChange={(words) => {
                  setTyped(words)
                  setPage(1)
                }}
              />
              <NativeSelect
                className={tables.sort}
                aria-label="Sort by"
                value={`${sort.by} ${sort.descending}`}
                onChange={(e) => {
                  const [by, descending] = e.currentTarget.value.split(" ")
                  setSort({ by: by as Column, descending: descending === "true" })
                  setPage(1)
                }}
                data={[
                  { value: "created true", label: "Newest first" },
                  { value: "created false", label: "Oldest first" },
                  { value: "name false", label: "By name" },
                  { value: "name true", label: "By name, backwards" },
                  { value: "size true", label: "Largest first" },
                  { value: "size false", label: "Smallest first" },
                  { value: "version true", label: "Most versions first" },
                  { value: "version false", label: "Fewest versions first" },
                ]}
              />
              <Text size="sm" c="dimmed" role="status" className={tables.matches}>
                {search && format.count(rows.length, "file matches", "files match")}
              </Text>
            </Group>

            {loading ? (
              <div className={classes.skeleton}>
                {["a", "b", "c", "d", "e"].map((key) => (
                  <Skeleton key={key} height={20} my={12} />
                ))}
              </div>
            ) : rows.length === 0 ? (
              <EmptyState
                py="xl"
                icon={<IconSearchOff stroke={1.5} aria-hidden />}
                title={`No file is named like “${search}”`}
                description="The search covers names and folders; words may be in any order."
              >
                <EmptyState.Actions>
                  <Button variant="default" size="xs" onClick={() => setTyped("")}>
                    Clear the search
                  </Button>
                </EmptyState.Actions>
              </EmptyState>
            ) : (
              <Table
                className={`${tables.table} ${tables.list}`}
                verticalSpacing={9}
                highlightOnHover
              >
                <Table.Thead>
                  <Table.Tr>
                    <SortHeading column="name" sort={sort} onSort={sortBy}>
                      Name
                    </SortHeading>
                    <SortHeading
                      column="size"
                      sort={sort}
                      onSort={sortBy}
                      className={classes.number}
                      end
                    >
                      Size
                    </SortHeading>
                    <SortHeading
                      column="version"
                      sort={sort}
                      onSort={sortBy}
                      className={classes.version}
                      end
                    >
                      Version
                    </SortHeading>
                    <SortHeading
                      column="created"
                      sort={sort}
                      onSort={sortBy}
                      className={classes.date}
                    >
                      Backed up
                    </SortHeading>
                    <Table.Th className={classes.state}>State</Table.Th>
                    <Table.Th className={classes.actions}>
                      <VisuallyHidden>Actions</VisuallyHidden>
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {onPage.map((file) => (
                    <Table.Tr key={file.filename}>
                      <Table.Td className={tables.nameCell}>
                        <UnstyledButton
                          className={classes.name}
                          onClick={() => open(file.filename)}
                        >
                          {isFolder(file) || isSnapshot(file) ? (
                            <IconFileZip
                              size={18}
                              stroke={1.6}
                              className={classes.kind}
                              aria-hidden
                            />
                          ) : (
                            <IconFile size={18} stroke={1.6} className={classes.kind} aria-hidden />
                          )}
                          <span className={classes.words}>
                            <span className={classes.whole}>
                              <FileName name={file.filename} />
                            </span>
                            <span className={classes.split}>
                              <span>{split(file.filename).base}</span>
                              <span className={classes.folder}>{split(file.filename).folder}</span>
                            </span>
                            <span className={tables.under}>
                              {format.bytes(file.original_size)} ·{" "}
                              {format.age(new Date(file.created))}
                            </span>
                          </span>
                        </UnstyledButton>
                      </Table.Td>
                      <Table.Td className={classes.number}>
                        {format.bytes(file.original_size)}
                      </Table.Td>
                      <Table.Td className={classes.version}>{format.number(file.version)}</Table.Td>
                      <Table.Td className={classes.date}>
                        <time dateTime={file.created} title={format.date(new Date(file.created))}>
                          {format.age(new Date(file.created))}
                        </time>
                      </Table.Td>
                      <Table.Td className={classes.state}>
                        <Group gap={6} wrap="nowrap">
                          {file.verified && (
                            <>
                              <IconCircleCheckFilled
                                size={16}
                                color="var(--coffer-good)"
                                role="img"
                                aria-label="Verified"
                              />
                              <span className={classes.stateWord} aria-hidden>
                                Verified
                              </span>
                            </>
                          )}
                          <SealMarks file={file} />
                          {isSnapshot(file) && (
                            <Text size="sm" c="dimmed">
                              Snapshot
                            </Text>
                          )}
                        </Group>
                      </Table.Td>
                      <Table.Td className={classes.actions}>
                        <Group gap={2} wrap="nowrap" justify="flex-end">
                          {!isSnapshot(file) && (
                            <RowAction
                              icon={IconDownload}
                              label="Restore"
                              subject={file.filename}
                              onClick={() => startRestore(file)}
                            />
                          )}
                          <RowAction
                            icon={IconTrash}
                            label="Delete"
                            subject={file.filename}
                            onClick={() => setDeleting(file)}
                          />
                        </Group>
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            )}
            {pages > 1 && (
              <Group className={tables.paging} justify="space-between">
                <Text size="sm" c="dimmed">
                  {format.number(from + 1)}–{format.number(from + onPage.length)} of{" "}
                  {format.number(rows.length)}
                </Text>
                <Pagination
                  size="sm"
                  total={pages}
                  value={Math.min(page, pages)}
                  onChange={setPage}
                  getControlProps={(control) => ({
                    "aria-label": control === "next" ? "Next page" : "Previous page",
                  })}
                />
              </Group>
            )}
          </Paper>
        )}
      </div>
      <FileDetails name={opened} onClose={() => open(undefined)} onDelete={setDeleting} />
      <DeleteFile
        file={deleting}
        onClose={() => setDeleting(undefined)}
        onDeleted={() => open(undefined)}
      />
    </Page>
  )
}

function split(name: string): { folder: string; base: string } {
  const slash = name.lastIndexOf("/") + 1
  return { folder: name.slice(0, slash), base: name.slice(slash) }
}

/** The files whose names hold every word of the search. */
function searched(files: FileEntry[], search: string): FileEntry[] {
  const words = search.toLocaleLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return files
  return files.filter((file) => {
    const name = file.filename.toLocaleLowerCase()
    return words.every((word) => name.includes(word))
  })
}

function sorted(files: FileEntry[], sort: Sort<Column>): FileEntry[] {
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" })
  const byName = (a: FileEntry, b: FileEntry) => collator.compare(a.filename, b.filename)
  const compare: Record<Column, (a: FileEntry, b: FileEntry) => number> = {
    name: byName,
    size: (a, b) => a.original_size - b.original_size,
    version: (a, b) => a.version - b.version,
    created: (a, b) => Date.parse(a.created) - Date.parse(b.created),
  }
  const sign = sort.descending ? -1 : 1
  return [...files].sort((a, b) => sign * compare[sort.by](a, b) || byName(a, b))
}
