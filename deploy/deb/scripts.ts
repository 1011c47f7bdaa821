/** What dpkg runs around the installation. The service is neither enabled nor started: first the configuration says who is who. */

const CONFIGURE = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  # In an image without systemd the user is made by hand.
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers ovsight.conf
  elif ! getent passwd ovsight >/dev/null && command -v useradd >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/ovsight --shell /usr/sbin/nologin ovsight
  fi
  if getent group ovsight >/dev/null; then
    chgrp ovsight /etc/ovsight && chmod 0750 /etc/ovsight
  fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    sysctl --quiet --load /usr/lib/sysctl.d/60-ovsight.conf || true
    # An upgrade: what runs is started again; what does not stays as it is.
    systemctl try-restart ovsight.service
  fi
fi
`

const REMOVE = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now ovsight.service || true
fi
`

const PURGE = `#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
# Flows are removed only on purge.
if [ "$1" = purge ]; then
  rm -rf /var/lib/ovsight
fi
`

export const SCRIPTS: Readonly<Record<string, string>> = { postinst: CONFIGURE, prerm: REMOVE, postrm: PURGE }
