ARG SERVICE=web
FROM registry.test/base AS pruner
WORKDIR /repo
COPY . .
ARG SERVICE
RUN mkdir -p /out/json /out/full && for p in packages/* services/$SERVICE; do \
      mkdir -p /out/json/$p /out/full/$p && cp $p/package.json /out/json/$p/ && cp -r $p/. /out/full/$p/; done

FROM registry.test/base AS installer
ARG SERVICE
WORKDIR /repo
COPY --from=pruner /out/json/ .
RUN find . -name package.json | sort | xargs cat > lock
COPY --from=pruner /out/full/ .
RUN cat packages/*/*.js services/${SERVICE}/*.js > bundle.js

FROM registry.test/base AS runner
ARG SERVICE
ENV SERVICE=$SERVICE
WORKDIR /srv/$SERVICE
COPY --from=installer --chown=me:0 /repo/bundle.js /repo/lock ./
COPY --from=installer /repo/services/*/package.json ./manifests/
USER me
CMD node bundle.js
