# A cluster of Slurm on this machine, for a script to source: real daemons (Debian: slurm-wlm, munge),
# nodes of one core, everything in one folder and nothing outside of it.
#   cluster_start FOLDER NODES    exports SLURM_CONF; status 1: it does not come up
#   cluster_node N                starts the daemon of node N (from 1)
#   cluster_kill N                ends it as a machine that fails
#   cluster_wait SECONDS          until no job is left; status 1: some are
#   cluster_stop                  ends every daemon it started

# Prints why there can be no cluster here, or nothing.
cluster_lacks() {
    for program in slurmctld slurmd munged sbatch; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || {
            echo "$program is not installed (Debian: slurm-wlm, munge)"
            return
        }
    done
    [ "$(id -u)" -eq 0 ] || echo "daemons of Slurm want to be started by root"
}

cluster_configure() {
    local host megabytes port i
    host=$(hostname)
    megabytes=$(awk '$1 == "MemTotal:" { print int($2 / 2048) }' /proc/meminfo)
    port=$((20000 + $$ % 20000))
    cat <<CONF
ClusterName=tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdTimeout=10
KillWait=2
MinJobAge=2
ReturnToService=2
CONF
    for i in $(seq "$1"); do
        echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=1" \
            "RealMemory=$megabytes State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=n[1-$1] Default=YES MaxTime=INFINITE State=UP"
}

cluster_node() {
    slurmd -N "n$1" -f "$SLURM_CONF" -L "$cluster/n$1.log"
}

# Ends the process of a file that holds its number, with a signal, and waits for it.
cluster_end() {
    local pid
    [ -s "$2" ] || return 0
    pid=$(cat "$2")
    kill "-$1" "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
}

cluster_kill() {
    cluster_end KILL "$cluster/n$1.pid"
}

cluster_start() {
    cluster=$1 cluster_nodes=$2
    mkdir -p "$cluster/state"
    chmod 700 "$cluster"
    PATH=$PATH:/usr/sbin:/sbin
    export PATH SLURM_CONF="$cluster/slurm.conf"
    cluster_configure "$2" >"$SLURM_CONF"
    head -c 128 /dev/urandom >"$cluster/munge.key"
    chmod 600 "$cluster/munge.key"
    munged --force --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" \
        --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" \
        --seed-file="$cluster/munge.seed" 2>"$cluster/munged.said" &&
        slurmctld -f "$SLURM_CONF" -L "$cluster/slurmctld.log" || return 1
    for i in $(seq "$2"); do
        cluster_node "$i" || return 1
    done
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" -eq "$2" ] && return 0
        sleep 0.5
    done
    return 1
}

cluster_wait() {
    local end=$((SECONDS + $1))
    while [ -n "$(squeue -h -o %i 2>&1)" ]; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}

cluster_stop() {
    [ -n "${cluster:-}" ] || return 0
    scancel -u root 2>/dev/null
    for i in $(seq "$cluster_nodes"); do
        cluster_end TERM "$cluster/n$i.pid"
    done
    cluster_end TERM "$cluster/slurmctld.pid"
    cluster_end TERM "$cluster/munged.pid"
    cluster=
}
