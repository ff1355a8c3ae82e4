"""What control groups allow."""

import pytest

from tailgate.container import cpu_limit, memory_limit_bytes


@pytest.fixture
def system(tmp_path):
    """Write files of a system below a directory of its own."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_group_of_version_2_limits(system):
    root = system(
        {
            "proc/self/cgroup": "0::/app\n",
            "sys/fs/cgroup/app/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/app/memory.max": "1073741824\n",
        }
    )

    assert cpu_limit(root) == 1.5
    assert memory_limit_bytes(root) == 1_073_741_824


def test_the_tightest_of_the_groups_around_counts(system):
    root = system(
        {
            "proc/self/cgroup": "0::/pod/app\n",
            "sys/fs/cgroup/pod/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/pod/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/app/memory.max": "2000\n",
            "sys/fs/cgroup/pod/memory.max": "1000\n",
        }
    )

    assert cpu_limit(root) == 0.5
    assert memory_limit_bytes(root) == 1_000


def test_a_container_that_sees_its_group_at_the_top_is_limited(system):
    root = system({"proc/self/cgroup": "0::/../host/abc\n0::/host/abc\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"})

    assert cpu_limit(root) == 2.0


def test_a_group_of_version_1_limits(system):
    root = system(
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:memory:/app\n3:cpu,cpuacct:/app\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/app/memory.limit_in_bytes": "4096\n",
        }
    )

    assert cpu_limit(root) == 3.0
    assert memory_limit_bytes(root) == 4_096


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "nonsense\n"},
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/memory.max": "max\n",
        },
        {
            "proc/self/cgroup": "4:memory:/\n1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    ],
)
def test_where_nothing_limits_there_is_no_limit(system, files):
    root = system(files)

    assert cpu_limit(root) is None
    assert memory_limit_bytes(root) is None
