#!/usr/bin/env bash
# Restores a file that backup.sh backed up, or lists what there is: curl, jq,
# openssl and cksum.
#
#   COFFER_URL=http://127.0.0.1:5000 restore.sh ACCOUNT            lists
#   COFFER_URL=http://127.0.0.1:5000 restore.sh ACCOUNT NAME FILE  restores
set -euo pipefail
umask 077

url=${COFFER_URL:-http://127.0.0.1:5000}/api/v1
account=${1:?ACCOUNT [NAME FILE]}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# call METHOD PATH [JSON]: prints the answer, or fails with the problem's message.
call() {
	local status
	# The headers hold secrets and go by file: arguments can be seen by others.
	status=$(curl -sS -o "$work/answer" -w '%{http_code}' -X "$1" -H @"$work/headers" \
		${3:+-H 'Content-Type: application/json' --data-binary @-} "$url$2" <<<"${3:-}")
	if [ "$status" -ge 400 ]; then
		echo "restore: $1 $2: $(jq -r .message "$work/answer")" >&2
		return 1
	fi
	cat "$work/answer"
}
: >"$work/headers"

login=$(jq -n --rawfile u "$account/username" '{username: ($u | rtrimstr("\n"))}')
token=$(call POST /auth/login "$login" | jq -r .session_token)
printf 'Authorization: Bearer %s\nX-Client-ID: %s\n' "$token" "$(<"$account/client_id")" >"$work/headers"

if [ $# -lt 3 ]; then
	next=/api/v1/files
	while [ -n "$next" ]; do
		call GET "${next#/api/v1}" >"$work/page"
		jq -r '.files[] | [.filename, "version \(.version)", "\(.original_size) bytes", .created] | @tsv' "$work/page"
		next=$(jq -r '.next // empty' "$work/page")
	done
	exit
fi
name=$2
file=$3

# The name, escaped as one part of a path: a slash is %2F.
path=/files/$(jq -rn --arg n "$name" '$n | @uri')
call GET "$path" >"$work/details"
jq -r .aes_key_encrypted "$work/details" | openssl base64 -d -A |
	openssl pkeyutl -decrypt -inkey "$account/key.pem" \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 >"$work/key"

version=$(jq -r .file.version "$work/details")
curl -sS --fail-with-body -o "$work/ciphertext" -H @"$work/headers" "$url$path/content?version=$version" || {
	echo "restore: $(jq -r .message "$work/ciphertext")" >&2
	exit 1
}
openssl enc -d -aes-256-cbc -K "$(od -An -v -tx1 "$work/key" | tr -d ' \n')" -iv 00000000000000000000000000000000 \
	-in "$work/ciphertext" -out "$work/plaintext"

# What comes out must be what went in.
crc=$(printf '0x%08x' "$(cksum <"$work/plaintext" | cut -d ' ' -f 1)")
if [ "$crc" != "$(jq -r .file.crc "$work/details")" ]; then
	echo "restore: the checksum of $name is wrong; the file was not restored" >&2
	exit 1
fi
cp "$work/plaintext" "$file"
call POST /auth/logout >/dev/null
echo "restored $name to $file"
