# shellcheck shell=bash
# Debian packages fetched aside, for tests on what this system does not have: apt runs with a state of
# its own, the sources and the lists of this system stay as they are. Sourced by scripts that set
#   work      a directory to keep things in
#   mirror    a Debian mirror; empty: the one that apt uses
#   suites    an array
#   me        the name for messages
# shellcheck disable=SC2154
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

readonly kListsMaxAgeMinutes=720
readonly kDownloadTimeout=600

private_apt() { # apt-get|apt-cache ARGS...
  local program=$1
  shift
  timeout "$kDownloadTimeout" "$program" -qq \
    -o Dir::State="$work/apt/state" -o Dir::Cache="$work/apt/cache" \
    -o Dir::State::status="$work/apt/status" \
    -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

debian_mirror() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 2> /dev/null \
    | awk -F'|' '$1 == "Debian" && $2 ~ /^(https?|mirror)/ { print $2; exit }'
}

refresh_lists() {
  local suite
  [ -n "$mirror" ] || mirror=$(debian_mirror)
  if [ -z "$mirror" ]; then
    echo "$me: apt has no Debian mirror on this system: give one with --mirror" >&2
    return 1
  fi
  mkdir -p "$work/apt/state/lists/partial" "$work/apt/cache/archives/partial"
  : > "$work/apt/status"
  for suite in "${suites[@]}"; do
    echo "deb [signed-by=$keyring] $mirror $suite main"
  done > "$work/apt/sources.list"
  private_apt apt-get update >&2 || echo "$me: some lists could not be read" >&2
  touch "$work/apt/refreshed"
}

lists_are_old() {
  [ -z "$(find "$work/apt/refreshed" -mmin -"$kListsMaxAgeMinutes" 2> /dev/null)" ]
}
