#!/usr/bin/env bash
# Restores a file that backup.sh backed up, or lists what there is: curl, jq,
# openssl and cksum.
#
#   COFFER_URL=http://127.0.0.1:5000 restore.sh ACCOUNT                      lists
#   COFFER_URL=http://127.0.0.1:5000 restore.sh ACCOUNT NAME FILE [VERSION]  restores
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

account=${1:?ACCOUNT [NAME FILE [VERSION]]}
[ -e "$account/client_id" ] || die "$account is not an account of backup.sh"
sign_in "$account"

if [ $# -eq 1 ]; then
	page=/files
	while [ -n "$page" ]; do
		call GET "$page" >"$work/page"
		jq -r '.files[] | [.filename, "version \(.version)", "\(.original_size) bytes", .created] | @tsv' "$work/page"
		page=$(jq -r '.next // empty' "$work/page")
		page=${page#/api/v1}
	done
	call POST /auth/logout
	exit
fi
name=$2
text "$name"
file=${3:?ACCOUNT NAME FILE [VERSION]}

# The name, escaped as one part of a path: a slash is %2F.
path=/files/$(jq -rn --arg n "$name" '$n | @uri')
call GET "$path${4:+?version=$4}" >"$work/details"
mine=$(public_key "$account" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
[ "$mine" = "$(jq -r .key_fingerprint "$work/details")" ] || die "$name was encrypted for another key than $account/key.pem"
key=$(jq -r .aes_key_encrypted "$work/details" | unwrap "$account")

ask GET "$path/content?version=$(jq -r .file.version "$work/details")"
aes "$key" -d -in "$work/answer" -out "$work/plaintext" || die "$name cannot be decrypted; it was not restored"

# What comes out must be what went in.
[ "$(checksum "$work/plaintext")" = "$(jq -r .file.crc "$work/details")" ] || die "the checksum of $name is wrong; it was not restored"
cp "$work/plaintext" "$file.part"
mv "$file.part" "$file"
call POST /auth/logout
echo "restored $name to $file"
