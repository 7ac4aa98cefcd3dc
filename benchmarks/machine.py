"""A description of the machine and the versions of packages."""

import os
import platform
from importlib import metadata
from pathlib import Path

import joblib
from threadpoolctl import threadpool_info

_PACKAGES = (
    "softmax-regression",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-learn-intelex",
    "cyanure",
    "torch",
)


def machine() -> dict[str, str]:
    """Describe the machine and what is installed on it, without its name."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(joblib.cpu_count()),
        "python": platform.python_version(),
        **dict(_versions()),
        "BLAS": ", ".join(sorted(_blas())),
        "load before": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> list[tuple[str, str]]:
    found = []
    for package in _PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _blas() -> set[str]:
    return {
        f"{library['internal_api']} {library['version']} ({library['num_threads']} threads)"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
