import { Anchor, Button, FileInput, SegmentedControl, Stack, Text } from "@mantine/core"
import { IconFileImport } from "@tabler/icons-react"
import { type FormEvent, useState } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useEngine } from "../app/engine"

/** An account without keys on the server: they come from a recovery file, or are made. */
export function NeedsKeys(props: { username: string }) {
  const { session } = useEngine()
  const [way, setWay] = useState<"import" | "make">("import")
  const [file, setFile] = useState<File | null>(null)
  const [passphrase, setPassphrase] = useState("")

  const proceed = useAction(async () => {
    if (way === "make") await session.makeKeys(passphrase)
    else if (file) await session.importRecoveryFile(file, passphrase)
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    proceed.run()
  }

  return (
    <AuthCard
      title="Your keys are not here yet"
      description={`The server has no keys for ${props.username}. Use a recovery file, or make new keys if there are no backups to open.`}
      footer={
        <Anchor component="button" type="button" size="sm" onClick={() => session.signOut()}>
          Sign out
        </Anchor>
      }
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {proceed.problem && <ProblemAlert problem={proceed.problem} />}
          <SegmentedControl
            fullWidth
            aria-label="Where the keys come from"
            value={way}
            onChange={(value) => {
              setWay(value as "import" | "make")
              proceed.clear()
            }}
            data={[
              { value: "import", label: "Recovery file" },
              { value: "make", label: "New keys" },
            ]}
          />
          {way === "import" ? (
            <FileInput
              label="Recovery file"
              description="coffer-NAME.age, or what coffer key export wrote."
              placeholder="Choose the file"
              leftSection={<IconFileImport size={18} aria-hidden />}
              required
              withAsterisk={false}
              value={file}
              onChange={setFile}
            />
          ) : (
            <Text size="sm">
              New keys cannot open what was backed up with other keys. Choose this only if nothing
              was.
            </Text>
          )}
          <PassphraseField
            label={way === "import" ? "Passphrase of the file" : "Your passphrase"}
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={passphrase}
            onChange={(e) => setPassphrase(e.currentTarget.value)}
          />
          <Button type="submit" loading={proceed.busy} disabled={way === "import" && !file}>
            {way === "import" ? "Open the file" : "Make new keys"}
          </Button>
        </Stack>
      </form>
    </AuthCard>
  )
}
