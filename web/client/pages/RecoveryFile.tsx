import { Button, Checkbox, List, Stack, Text } from "@mantine/core"
import { IconDownload } from "@tabler/icons-react"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useRecoveryFile } from "../app/useRecoveryFile"

/** Comes once, right after an account was made. */
export function RecoveryFile() {
  const navigate = useNavigate()
  const recovery = useRecoveryFile()
  const [later, setLater] = useState(false)

  return (
    <AuthCard
      title="Save your recovery file"
      description="Your account is ready. This file holds its keys, encrypted with your passphrase."
    >
      <Stack gap="md">
        {recovery.problem && <ProblemAlert problem={recovery.problem} />}
        <List size="sm" spacing="xs">
          <List.Item>
            It opens your files if the server ever loses your keys. You still need the passphrase
            that it was made with.
          </List.Item>
          <List.Item>Keep a copy away from this computer, for example on a USB stick.</List.Item>
          <List.Item>You can save it again at any time, under Settings.</List.Item>
        </List>
        <Button
          leftSection={<IconDownload size={18} aria-hidden />}
          loading={recovery.busy}
          variant={recovery.saved ? "light" : "filled"}
          onClick={recovery.run}
        >
          {recovery.saved ? "Save it once more" : `Save ${recovery.name}`}
        </Button>
        {!recovery.saved && (
          <Checkbox
            label="I will save it later."
            checked={later}
            onChange={(e) => setLater(e.currentTarget.checked)}
          />
        )}
        <Button
          variant={recovery.saved ? "filled" : "default"}
          disabled={!recovery.saved && !later}
          onClick={() => navigate({ to: "/" })}
        >
          Continue
        </Button>
        <Text size="xs" c="dimmed" aria-live="polite" ta="center" className="quiet">
          {recovery.saved ? `${recovery.name} is in your downloads.` : ""}
        </Text>
      </Stack>
    </AuthCard>
  )
}
