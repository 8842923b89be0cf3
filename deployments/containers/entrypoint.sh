#!/bin/sh
# The start of every container: entrypoint.sh COMMAND [ARGUMENT]...
#
# Secrets come as files. PREFECT_API_AUTH_STRING_FROM_FILE=/run/secrets/api_auth gives the command a variable
# PREFECT_API_AUTH_STRING with the content of that file. (Names that end in _FILE alone are left as they are:
# some, such as SSL_CERT_FILE, want a path.)
set -eu

for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)_FROM_FILE=.*/\1/p'); do
    eval "file=\${${name}_FROM_FILE}"
    if ! [ -r "$file" ]; then
        echo "${name}_FROM_FILE: $file cannot be read by user $(id -u)" >&2
        exit 1
    fi
    export "$name=$(cat "$file")"
    unset "${name}_FROM_FILE"
done

# On a processor below the level that the image was built for (see Containerfile) numpy would end in a
# traceback, or a kernel in an illegal instruction. The C library knows the level: it lists all of them, and
# says "supported" behind those that the machine has.
loader=/lib64/ld-linux-x86-64.so.2
if [ -x "$loader" ] && "$loader" --help | grep -qx " *${NUMBA_CPU_NAME:-none}"; then
    echo "this image is for processors of level $NUMBA_CPU_NAME, and that of $(uname -n) is older: run it on" \
        "another machine, or build it with another PROCESSOR" >&2
    exit 1
fi

# Dask's Helm chart calls these two; Dask itself has only `dask scheduler` and `dask worker` by now.
case ${1-} in
    dask-scheduler | dask-worker)
        subcommand=${1#dask-}
        shift
        set -- dask "$subcommand" "$@"
        ;;
esac

exec "$@"
