#!/usr/bin/env bash
# A study over a Slurm of one node that this starts in a temporary folder, with tasks requeued and
# processes killed in the middle: the table is that of one local worker. Exit code 77: skipped.
#   tests/engines/slurm.sh ISODROP
set -euo pipefail
isodrop=$(readlink -f -- "$1")
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
for program in slurmctld slurmd sbatch munged mungekey python3; do
  command -v "$program" >/dev/null ||
    skip "$program is not installed: apt-get install slurmctld slurmd slurm-client munge python3"
done
(( EUID == 0 )) || skip "slurmd must be started by root"

folder=$(mktemp -d /tmp/isodrop-slurm-XXXXXX)
chmod 755 "$folder"
daemons=()
stop() {
  scancel --user="$(id -un)" >/dev/null 2>&1 || true
  # slurmd waits for its jobs' own processes.
  for _ in $(seq 50); do [[ -n $(squeue --noheader 2>/dev/null) ]] || break; sleep 0.2; done
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${daemons[@]}"; do for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done; done
  for pid in "${daemons[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  if (( $1 == 0 )); then rm -rf -- "$folder"; else echo "logs are in $folder" >&2; fi
}
trap 'stop $?' EXIT

# A munge of its own: key, socket and log in the folder.
mkdir -m 700 "$folder/munge" && mkdir -m 755 "$folder/socket"
mungekey --create --keyfile="$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/socket/munge" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" >"$folder/munged.out" 2>&1 &
daemons+=($!)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
host=$(hostname -s)
cpus=$(nproc)
mkdir "$folder/state" "$folder/spool"
export SLURM_CONF=$folder/slurm.conf
cat >"$SLURM_CONF" <<END
ClusterName=isodrop
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$folder/socket/munge
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,requeue_delay=0
MinJobAge=300
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=1500 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
slurmctld -D -c >"$folder/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -N "$host" >"$folder/slurmd.out" 2>&1 &
daemons+=($!)
for _ in $(seq 100); do
  [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle* ]] && break
  sleep 0.2
done
[[ $(sinfo --noheader --format=%T 2>&1) == idle* ]] || { tail -n 5 "$folder"/*.log >&2; fail "this machine's Slurm does not start"; }
echo "a Slurm of one node is up: $(sinfo --noheader --format='%N %c CPUs %T')"

cd -- "$folder"
# shellcheck source=tests/engines/study.sh
source "$here/study.sh"
make_study
one_worker

# By hand: submit, disturb, collect.
tuning_first
"$isodrop" study tiny.toml --store runs --plan specs --engine slurm
job=$(sbatch --parsable specs/submit.sh)
echo "job $job: $(cat specs/specs-*.txt | wc -l) specs in lists"
requeued=0 killed=0
end=$((SECONDS + 240))
while [[ -n $(squeue --noheader --jobs="$job" 2>/dev/null) ]]; do
  (( SECONDS < end )) || fail "job $job does not end: $(squeue --array)"
  running=$(squeue --noheader --array --jobs="$job" --states=RUNNING --format=%i 2>/dev/null | head -n 1 || true)
  if [[ -n $running ]] && (( requeued < 3 )); then
    if scontrol requeue "$running" 2>/dev/null; then requeued=$((requeued + 1)); fi
  elif (( killed < 2 )); then
    # A process of a run that is being made, by its own number.
    worker=$(pgrep -f -- "run .*--store $folder/runs" | tail -n 1 || true)
    if [[ -n $worker ]] && kill -9 "$worker" 2>/dev/null; then killed=$((killed + 1)); fi
  fi
  # Slurm waits for two minutes before it starts a requeued task again; nobody here has to.
  for task in $(squeue --noheader --array --jobs="$job" --states=PENDING --format='%i %r' 2>/dev/null | awk '$2 == "BeginTime" { print $1 }'); do
    scontrol update "job=$task" starttime=now 2>/dev/null || true
  done
  sleep 0.3
done
echo "$requeued tasks requeued, $killed processes killed"
(( requeued == 3 && killed == 2 )) || fail "the job was over before it was disturbed"

# What the kills left is submitted again, tuned rounds in turn, until the report is there.
"$isodrop" study tiny.toml --store runs --plan specs --engine slurm --submit --format json >slurm.json
[[ -z $(find runs -name '*.tmp') ]] || fail "half-written files are left: $(find runs -name '*.tmp')"
same_table slurm.json
"$isodrop" study tiny.toml --store runs --collect --format json >collected.json
same_table collected.json

scancel --user="$(id -un)"
echo "the same table, with tasks requeued and processes killed"
