#!/usr/bin/env bash
# Backs a file up over HTTP, as any script can: curl, jq, openssl and cksum.
#
#   COFFER_URL=http://127.0.0.1:5000 backup.sh ACCOUNT FILE [NAME]
#
# ACCOUNT is a folder that is made at the first use: it holds the account's
# name, its client id and its private key. Keep it: without the key, nobody can
# decrypt what was backed up, and without the id, nobody can fetch it.
set -euo pipefail
umask 077

url=${COFFER_URL:-http://127.0.0.1:5000}/api/v1
packet=${COFFER_PACKET:-4194304}
account=${1:?ACCOUNT FILE [NAME]}
file=${2:?ACCOUNT FILE [NAME]}
name=${3:-$(basename "$file")}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# call METHOD PATH [JSON]: prints the answer, or fails with the problem's message.
call() {
	local status
	# The headers hold secrets and go by file: arguments can be seen by others.
	status=$(curl -sS -o "$work/answer" -w '%{http_code}' -X "$1" -H @"$work/headers" \
		${3:+-H 'Content-Type: application/json' --data-binary @-} "$url$2" <<<"${3:-}")
	if [ "$status" -ge 400 ]; then
		echo "backup: $1 $2: $(jq -r .message "$work/answer")" >&2
		return 1
	fi
	cat "$work/answer"
}
: >"$work/headers"

if [ ! -e "$account/client_id" ]; then
	mkdir -p "$account"
	user=${COFFER_USER:-$(hostname)-$(openssl rand -hex 4)}
	call POST /auth/register "$(jq -n --arg u "$user" '{username: $u, client_type: "api_client"}')" | jq -r .client_id >"$work/id"
	[ -e "$account/key.pem" ] || openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$account/key.pem"
	echo "$user" >"$account/username"
	mv "$work/id" "$account/client_id"
fi

login=$(jq -n --rawfile u "$account/username" '{username: ($u | rtrimstr("\n"))}')
token=$(call POST /auth/login "$login" | jq -r .session_token)
printf 'Authorization: Bearer %s\nX-Client-ID: %s\n' "$token" "$(<"$account/client_id")" >"$work/headers"

# The public key, so that the server can wrap session keys with it.
der=$(openssl pkey -in "$account/key.pem" -pubout -outform DER | openssl base64 -A)
call POST /keys/public "$(jq -n --arg d "$der" '{public_key_der: $d}')" >/dev/null

# An upload with a session key of its own.
call POST /uploads "$(jq -n --arg f "$name" '{filename: $f}')" >"$work/begun"
upload=$(jq -r .upload_id "$work/begun")
jq -r .aes_key_encrypted "$work/begun" | openssl base64 -d -A |
	openssl pkeyutl -decrypt -inkey "$account/key.pem" \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 >"$work/key"

# (openssl takes this one file's key as an argument only, where others on the
# machine could see it while it runs.)
openssl enc -aes-256-cbc -K "$(od -An -v -tx1 "$work/key" | tr -d ' \n')" -iv 00000000000000000000000000000000 \
	-in "$file" -out "$work/ciphertext"

# Packets, cut anywhere; the last one says that it is.
size=$(wc -c <"$work/ciphertext")
total=$(((size + packet - 1) / packet))
for ((n = 1; n <= total; n++)); do
	last=false
	[ "$n" -lt "$total" ] || last=true
	dd if="$work/ciphertext" of="$work/packet" bs="$packet" skip=$((n - 1)) count=1 status=none
	curl -sS --fail-with-body -o "$work/answer" -T "$work/packet" -H @"$work/headers" \
		-H 'Content-Type: application/octet-stream' --retry 5 "$url/uploads/$upload/packets/$n?last=$last" || {
		echo "backup: packet $n: $(jq -r .message "$work/answer")" >&2
		exit 1
	}
done

# The file is kept once the checksums agree.
crc=$(cksum <"$file" | cut -d ' ' -f 1)
call POST "/uploads/$upload/verify" "$(jq -n --arg c "$crc" '{client_crc: $c}')" >"$work/verified"
if [ "$(jq -r .verified "$work/verified")" != true ]; then
	echo "backup: the checksums differ; run it again" >&2
	exit 1
fi
call POST /auth/logout >/dev/null
echo "backed up $name, $total packets, version $(jq -r .version "$work/verified")"
